"""Puts the makers of reports and packages together, and runs them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx

from contracts.units import NodeId, UtcMs
from controller.core.alerts import AlertRecord
from controller.core.retrievals import Retrieval
from controller.core.sessions import Session
from controller.core.state import SiteState
from controller.ports import Blocking, Intake
from controller.reports.desk import Desk, Pictures, Reader, Versions
from controller.reports.packages import PackageFacts, PackageMaker, Packages, RetrievalRows
from controller.reports.versions import ReportShelf, Signer
from runtime.clock import Clock

REPORTS: Final = "reports"
PACKAGES: Final = "packages"


class Rows(Versions, RetrievalRows, Protocol):
    """Where versions and retrievals are kept. Methods block."""

    def add_retrieval(self, make: Callable[[int], Retrieval]) -> Retrieval: ...

    def find_retrieval(self, retrieval_id: str) -> Retrieval | None: ...

    def retrieval_by_key(self, key: str) -> Retrieval | None: ...

    def retrievals(
        self, *, before: int | None, limit: int, asked_by: str | None = None
    ) -> tuple[Retrieval, ...]: ...

    def sessions_between(self, since: UtcMs, until: UtcMs, limit: int) -> tuple[Session, ...]: ...

    def violations(self, session_ids: tuple[str, ...]) -> tuple[AlertRecord, ...]: ...


class Facts(Reader, PackageFacts, Protocol):
    """What is read of the rest of the store. Methods block."""


@dataclass(frozen=True, slots=True)
class ReportOffice:
    """Reports and retrievals of one controller; ``run`` makes what is due until cancelled."""

    desk: Desk
    packages: Packages
    maker: PackageMaker
    rows: Rows
    at_release: bool = True
    """Whether the first version is made by itself; else when a person asks for it."""

    async def run(self) -> None:
        """Make reports of released sessions and packages of approved retrievals."""
        async with asyncio.TaskGroup() as group:
            if self.at_release:
                group.create_task(self.desk.run())
            group.create_task(self.maker.run())


def open_office(  # noqa: PLR0913  # everything is passed by argument
    data_dir: Path,
    *,
    state: Callable[[], SiteState],
    facts: Facts,
    rows: Rows,
    pictures: Pictures,
    signer: Signer,
    intake: Intake,
    clock: Clock,
    client: httpx.AsyncClient,
    node_keys: Mapping[NodeId, bytes],
    at_release: bool = True,
    blocking: Blocking = asyncio.to_thread,
) -> ReportOffice:
    """An office that keeps its files in ``data_dir``. Blocks.

    Raises:
        OSError: the folder cannot be made.
    """
    packages = Packages(data_dir / PACKAGES)
    packages.folder.mkdir(parents=True, exist_ok=True)
    shelf = ReportShelf(data_dir / REPORTS)
    desk = Desk(
        state, facts, rows, pictures, shelf, signer, intake, clock, asyncio.Lock(), blocking
    )
    maker = PackageMaker(
        rows,
        facts,
        packages,
        client,
        clock,
        signer,
        state=state,
        node_keys=node_keys,
        intake=intake,
        blocking=blocking,
    )
    return ReportOffice(desk, packages, maker, rows, at_release=at_release)
