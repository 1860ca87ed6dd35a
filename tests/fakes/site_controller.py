"""The controller of a simulated site: everything that ``wire`` puts together, on a mortal disk."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence

from argon2 import PasswordHasher

from contracts.api import DeliveryState
from contracts.commands import Keep
from controller.__main__ import Controller, Keys, wire
from controller.core.alerts import AlertRecord
from controller.core.deliveries import Delivery
from controller.core.outputs import Answer, SendCommand
from controller.core.state import Input, SiteState
from controller.ports import Batch, P, T
from controller.settings import ControllerSettings, Deployment, ReportSettings
from tests.fakes.controller_site import with_database
from tests.fakes.site_machine import RUN_KEY, Ground, Machine

ROWS_MAX = 10_000
ASK_MS = 3_000  # a person waits no longer before pressing again
LOOK_MS = 100


class ControllerMachine(Machine):
    """The controller's machine."""

    def __init__(self, ground: Ground) -> None:
        super().__init__("controller", ground)
        self.controller: Controller | None = None
        self.last: SiteState | None = None
        """The newest committed state, also while it is down."""
        self._told: dict[str, str] = {}

    def build(self) -> Sequence[Coroutine[object, object, None]]:
        ground = self.ground
        self.bus = ground.broker.connect(self.name, self.life)
        bus, connected = self.bus, asyncio.Event()
        settings = ControllerSettings(
            # A report is a second of this machine and nothing of the simulated day.
            reports=ReportSettings(at_release=False),
            site_dir=ground.folder,
            data_dir=self.folder,
            deployment=Deployment.DEMO,
        )
        with_database(self.folder)
        controller = wire(
            settings,
            ground.site,
            ground.robot_map,
            Keys({}, None, RUN_KEY),
            self.clock,
            bus,
            rng=random.Random(ground.rng.random()),
            base_url="http://controller",
            broker_connected=lambda: bus.connected,
            hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
            blocking=self._blocking,
        )
        self.controller = controller

        async def after_connect() -> None:
            while True:
                await connected.wait()
                connected.clear()
                await controller.after_connect()

        bus.on_connect(connected.set)
        return bus.run(), controller.run(), after_connect()

    async def _blocking(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.life.touch()
        result = function(*args, **kwargs)
        for batch in args:
            if isinstance(batch, Batch):
                self._note(batch)
        self.life.touch()
        return result

    def _note(self, batch: Batch) -> None:
        truth = self.ground.truth
        for entry in batch.journal:
            for output in entry.outputs:
                # A keep is answered in the chains of its tracks, not with what the node enforces.
                if isinstance(output, SendCommand) and not isinstance(output.command, Keep):
                    truth.decided[output.node_id].append(output.command.command_id)
                    truth.tell(f"controller decided {output.command.command_id}")
        for delivery in batch.deliveries:
            told = f"{delivery.state} {delivery.robot_id or ''}/{delivery.compartment or ''}"
            if self._told.get(delivery.id) != told:
                self._told[delivery.id] = told
                truth.tell(f"delivery {delivery.id} {told}")

    def close(self) -> None:
        if self.controller is not None:
            self.last = self.controller.service.state
            self.controller.commands.close()
            self.controller.database.close()

    @property
    def state(self) -> SiteState | None:
        """The committed state; None while the controller is down."""
        return self.controller.service.state if self.alive and self.controller else None

    def delivery(self, delivery_id: str) -> Delivery | None:
        """A delivery as the controller has it; None while it is down or has none."""
        return self.state.deliveries.get(delivery_id) if self.state else None

    def is_in(self, delivery_id: str, *states: DeliveryState) -> bool:
        """Whether a delivery is in one of these states."""
        delivery = self.delivery(delivery_id)
        return delivery is not None and delivery.state in states

    async def ask(self, given: Input) -> Answer | None:
        """What the controller answers a person; None when it died or did not answer in time."""
        if not self.alive or self.controller is None:
            return None
        life = self.life
        asked = asyncio.ensure_future(self.controller.service.ask(given))
        try:
            for _ in range(ASK_MS // LOOK_MS):
                await self.ground.clock.sleep_ms(1 if not asked.done() else 0)
                if asked.done():
                    return asked.result()
                if not life.alive:
                    return None
                await self.ground.clock.sleep_ms(LOOK_MS)
            return None
        finally:
            asked.cancel()

    def stored_alerts(self) -> tuple[AlertRecord, ...]:
        """All alerts in the database."""
        assert self.controller is not None
        return self.controller.database.alerts(before=None, limit=ROWS_MAX)

    def stored_deliveries(self) -> tuple[Delivery, ...]:
        """All deliveries in the database."""
        assert self.controller is not None
        return self.controller.database.deliveries(limit=ROWS_MAX)
