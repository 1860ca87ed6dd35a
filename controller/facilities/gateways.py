"""Joins doors and lifts behind an HTTP gateway to the service: asked every second, told by PUT.

The gateway's paths are ours and few (docs/guide/map-and-facilities.md); a maker's own interface is
put behind them by whoever installs it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, assert_never

import httpx
import structlog
from pydantic import ValidationError

from contracts.envelope import Wire
from contracts.facilities import DoorConfig, Facility, FireConfig, HttpLink, LiftConfig
from contracts.units import FacilityId
from controller.core.facility_words import (
    CommandFacility,
    DoorOrder,
    DoorPosition,
    DoorSaid,
    FacilitySaid,
    FireSaid,
    LiftOrder,
    LiftSaid,
)
from controller.ports import Intake
from runtime.clock import Clock
from runtime.logs import Repeats
from runtime.secrets import CredentialFileError, SecretKeyError, UnknownCredentialError

log = structlog.get_logger(__name__)

ASK_MS: Final = 1_000  # a robot covers one metre meanwhile; the shut edge keeps it back until then
TIMEOUT_S: Final = 2.0  # for the whole answer; a gateway in the house answers in milliseconds
MISSES_MAX: Final = 3  # as many questions without an answer, and it counts as away
STALE_MS: Final = 5_000  # and so long after its last word at the latest: a miss may take seconds
BODY_MAX: Final = 65_536  # an answer has a hundred bytes

PATHS: Final = {"door": "doors", "lift": "lifts", "fire": "fires"}
Credentials = Callable[[], tuple[str, str] | None]
"""User and password of a gateway, asked for at each request; None where it needs none."""


class DoorAnswer(Wire):
    """``GET doors/ID``."""

    position: DoorPosition


class LiftAnswer(Wire):
    """``GET lifts/ID``. ``floor``: where it stands, null on its way."""

    floor: str | None = None
    door_open: bool
    in_service: bool = True


class FireAnswer(Wire):
    """``GET fires/ID``."""

    burning: bool


class GatewayDesk:
    """All facilities behind gateways."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        clock: Clock,
        facilities: Iterable[Facility],
        credentials: Callable[[HttpLink], Credentials],
    ) -> None:
        self._client = client
        self._clock = clock
        self._repeats = Repeats(clock)
        self._rows = {
            row.id: (row, row.link, credentials(row.link))
            for row in facilities
            if isinstance(row.link, HttpLink)
        }
        self._orders: dict[FacilityId, DoorOrder | LiftOrder] = {}
        self._ordered = {name: asyncio.Event() for name in self._rows}
        self.counts: Counter[str] = Counter()
        """asked, told; missed: no answer or a wrong one."""

    async def run(self, service: Intake) -> None:
        """Ask each facility until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._rows:
                group.create_task(self._watch(name, service))
                group.create_task(self._write(name))

    def publish(self, output: CommandFacility) -> bool:
        """Have a facility told by PUT; False: it is behind no gateway.

        It does not wait: the writer of the site must not. The newest order of a facility counts,
        and the core sends it again.
        """
        if output.facility_id not in self._rows:
            return False
        self._orders[output.facility_id] = output.order
        self._ordered[output.facility_id].set()
        return True

    async def _write(self, name: FacilityId) -> None:
        while True:
            await self._ordered[name].wait()
            self._ordered[name].clear()
            order = self._orders[name]
            body: dict[str, object]
            if isinstance(order, DoorOrder):
                body = {"open": order.open}
            else:
                body = {"floor": order.floor, "hold": order.hold, "reserve": order.reserve}
            if await self._send("PUT", name, body) is not None:
                self.counts["told"] += 1

    async def _watch(self, name: FacilityId, service: Intake) -> None:
        misses = 0
        heard_mono_ms = self._clock.mono_ms()
        told: FacilitySaid | FireSaid | None = None
        while True:
            answer = await self._send("GET", name, None)
            said = None if answer is None else self._said(name, answer)
            misses = misses + 1 if said is None else 0
            self.counts["asked" if said is not None else "missed"] += 1
            now = self._clock.mono_ms()
            heard_mono_ms = now if said is not None else heard_mono_ms
            if said is None and (misses >= MISSES_MAX or now - heard_mono_ms >= STALE_MS):
                said = _lost(self._rows[name][0])
            if said is not None and said != told:
                told = said
                await service.offer(said)
            await self._clock.sleep_ms(ASK_MS)

    async def _send(self, method: str, name: FacilityId, body: object) -> bytes | None:
        """The answer's body; None when there is none that counts."""
        try:
            # The client's own time-outs are for each read: who sends a byte a second never ends.
            async with asyncio.timeout(TIMEOUT_S):
                return await self._exchange(method, name, body)
        except TimeoutError:
            self._complain(name, f"no whole answer within {TIMEOUT_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._complain(name, type(error).__name__)
        except (CredentialFileError, SecretKeyError, UnknownCredentialError, OSError) as error:
            self._complain(name, f"its stored password: {type(error).__name__}")
        return None

    async def _exchange(self, method: str, name: FacilityId, body: object) -> bytes | None:
        facility, link, credentials = self._rows[name]
        url = f"{link.url.rstrip('/')}/{PATHS[facility.kind]}/{name}"
        async with self._client.stream(
            method,
            url,
            json=body,
            auth=credentials(),
            headers={"Accept-Encoding": "identity"},
            timeout=TIMEOUT_S,
            follow_redirects=False,
        ) as response:
            if response.status_code not in {200, 202, 204}:
                self._complain(name, f"status {response.status_code}")
                return None
            if response.headers.get("Content-Encoding", "identity") != "identity":
                self._complain(name, "packed answer")  # a small one may unpack to a huge one
                return None
            found = b""
            async for chunk in response.aiter_bytes():
                found += chunk
                if len(found) > BODY_MAX:
                    self._complain(name, f"answer longer than {BODY_MAX} bytes")
                    return None
            return found

    def _said(self, name: FacilityId, answer: bytes) -> FacilitySaid | FireSaid | None:
        facility = self._rows[name][0]
        try:
            match facility:
                case DoorConfig():
                    door = DoorAnswer.model_validate_json(answer)
                    return FacilitySaid(name, DoorSaid(door.position))
                case LiftConfig():
                    lift = LiftAnswer.model_validate_json(answer)
                    return FacilitySaid(name, LiftSaid(lift.floor, lift.door_open, lift.in_service))
                case FireConfig():
                    return FireSaid(name, FireAnswer.model_validate_json(answer).burning)
                case _:
                    assert_never(facility)
        except ValidationError as error:
            self._complain(name, f"wrong answer: {error.error_count()} problems")
            return None

    def _complain(self, name: FacilityId, what: str) -> None:
        if times := self._repeats.due(f"{name} {what}"):
            log.warning("facility_gateway", facility=name, problem=what, times=times)


def _lost(facility: Facility) -> FacilitySaid | FireSaid:
    if isinstance(facility, FireConfig):
        return FireSaid(facility.id, None)
    return FacilitySaid(facility.id, None)
