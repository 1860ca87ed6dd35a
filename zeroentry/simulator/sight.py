"""Plays a site's edge nodes live: who the cameras of each area show, and that the nodes are well.

They have no pictures and record nothing; the controller takes their word as that of real nodes.
"""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from contracts import topics
from contracts.codec import encode
from contracts.devices import Site
from contracts.observations import (
    Appearance,
    Box,
    CameraHealth,
    CameraState,
    CameraView,
    NodeHealth,
    NodeState,
    RoomObservation,
    SeenPerson,
    SoundState,
)
from contracts.topics import Kind
from controller.core.plan import SitePlan
from runtime.clock import Clock
from runtime.mqtt import MqttLost, MqttSession, MqttSettings, Outgoing

EVERY_MS: Final = 500  # a lease of the interlock lasts two seconds
HEALTH_EVERY: Final = 4
WIDTH: Final = 0.08
PEOPLE_MAX: Final = 8  # as many as stand beside one another in a picture


@dataclass(slots=True)
class Area:
    """Who is before the cameras of an area. ``strangers`` have no vest."""

    id: str
    cameras: tuple[str, ...]
    experts: int = 0
    strangers: int = 0
    blind: bool = False
    index: int = 0

    def people(self) -> tuple[SeenPerson, ...]:
        """As a detector sees them, side by side."""
        kinds = [Appearance.RED] * self.experts + [Appearance.NONE] * self.strangers
        return tuple(
            SeenPerson(
                track=number,
                box=Box(x1=0.1 + WIDTH * number, y1=0.3, x2=0.17 + WIDTH * number, y2=0.8),
                score=0.9,
                appearance=kind,
                settled=True,
            )
            for number, kind in enumerate(kinds[:PEOPLE_MAX])
        )


@dataclass(slots=True)
class Sight:
    """All edge nodes of a site behind one connection."""

    site: Site
    plan: SitePlan
    settings: MqttSettings
    clock: Clock
    areas: dict[str, Area] = field(default_factory=dict)
    _session: MqttSession = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        """Nobody is anywhere yet."""
        self._session = MqttSession(self.settings, self.clock, rng=random.Random(1))
        for area in self.site.config.areas:
            cameras = tuple(row.id for row in self.site.cameras_of(area.id))
            if cameras:
                self.areas[area.id] = Area(area.id, cameras)

    def area_of(self, node: str) -> Area | None:
        """The area whose cameras see a node of the map."""
        zone = self.plan.zone_at.get(node)
        return self.areas.get(zone.seen_by or "") if zone is not None else None

    async def run(self) -> None:
        """Speak until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run())
            group.create_task(self._speak())

    async def _speak(self) -> None:
        beat = 0
        while True:
            for node in self.site.nodes:
                if beat % HEALTH_EVERY == 0:
                    await self._health(node.id, tuple(node.areas))
                for area in node.areas:
                    if area in self.areas:
                        await self._observe(node.id, self.areas[area])
            beat += 1
            await self.clock.sleep_ms(EVERY_MS)

    async def _observe(self, node_id: str, area: Area) -> None:
        area.index += 1
        now = self.clock.utc_ms()
        state = CameraState.OFFLINE if area.blind else CameraState.LIVE
        people = () if area.blind else area.people()
        body = RoomObservation(
            room_id=area.id,
            node_id=node_id,
            boot_id="simulated",
            index=area.index,
            utc_ms=now,
            head_count=None if area.blind else area.experts + area.strangers,
            views=tuple(
                CameraView(
                    camera_id=camera,
                    state=state,
                    frame_utc_ms=None if area.blind else now,
                    people=people,
                )
                for camera in area.cameras
            ),
        )
        topic = topics.room_topic(Kind.OBSERVATION, self.site.config.id, area.id)
        await self._publish(Kind.OBSERVATION, topic, body, node_id)

    async def _health(self, node_id: str, areas: tuple[str, ...]) -> None:
        seen = [self.areas[area] for area in areas if area in self.areas]
        body = NodeHealth(
            node_id=node_id,
            state=NodeState.RUNNING,
            utc_ms=self.clock.utc_ms(),
            boot_id="simulated",
            version="simulated",
            rooms=areas,
            cameras=tuple(
                CameraHealth(
                    camera_id=camera,
                    state=CameraState.OFFLINE if area.blind else CameraState.LIVE,
                    frames_per_s=10,
                    analysed_per_s=5,
                    dropped_frames=0,
                    sound=SoundState.ABSENT,
                )
                for area in seen
                for camera in area.cameras
            ),
        )
        topic = topics.health_topic(self.site.config.id, node_id)
        await self._publish(Kind.HEALTH, topic, body, node_id)

    async def _publish(self, kind: Kind, topic: str, body: BaseModel, node_id: str) -> None:
        spec = topics.SPECS[kind]
        self._count += 1
        payload = encode(
            kind,
            body,
            message_id=f"sim-{self._count}",
            sender=node_id,
            sent_utc_ms=self.clock.utc_ms(),
        )
        with contextlib.suppress(MqttLost):  # the next one says the same
            await self._session.publish(Outgoing(topic, payload, qos=spec.qos, retain=spec.retain))
