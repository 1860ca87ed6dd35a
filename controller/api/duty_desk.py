"""Holds what the routes of duty and notices work with, and puts it together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.devices import SiteConfig
from controller.notices.apprise_way import AppriseWay
from controller.notices.channels import ChannelBook
from controller.notices.desk import NoticeDesk
from controller.ports import Blocking
from controller.store.database import Database
from controller.store.duty import DutyStore
from controller.store.notices import NoticeStore
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class DutyDesk:
    """Roster, outbox and log of notices, and who delivers them."""

    roster: DutyStore
    log: NoticeStore
    notices: NoticeDesk
    zone: ZoneInfo


def duty_desk(
    database: Database,
    clock: Clock,
    config: SiteConfig,
    data_dir: Path,
    blocking: Blocking,
    environ: Mapping[str, str] = os.environ,
) -> DutyDesk:
    """The desk of one controller.

    Raises:
        ChannelFileError: the channels of notices cannot be read.
    """
    way, zone = AppriseWay(), ZoneInfo(config.time_zone)
    roster, outbox = DutyStore(database), NoticeStore(database)
    notices = NoticeDesk(
        outbox,
        roster,
        ChannelBook(data_dir / "keys", environ, way.understands),
        way.send,
        clock,
        zone=zone,
        rooms={area.id: area.name for area in config.areas},
        blocking=blocking,
    )
    return DutyDesk(roster, outbox, notices, zone)
