"""Wires a node's two ways of sound: words into its rooms, and its rooms to who may hear them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI

from contracts.devices import Site
from contracts.units import RoomId
from edge.api.access import Gate
from edge.api.listen import add_listen
from edge.api.talk import add_talk
from edge.core.hearing import SourceId
from edge.credentials import credentials_of
from edge.live_sound import LiveSound
from edge.node_settings import own_config
from edge.room_service import Wiring
from edge.settings import EdgeSettings
from edge.talks import TalkDesk, talk_cameras
from edge.voice_book import VoiceBook
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Voices:
    """What the API needs of both ways."""

    talks: TalkDesk
    sound: LiveSound
    book: VoiceBook

    def add_to(self, app: FastAPI, gate: Gate) -> None:
        """Add the routes of both."""
        add_talk(app, self.talks, gate)
        add_listen(app, self.sound, self.book, gate)


def live_sound(config: EdgeSettings, site: Site, clock: Clock) -> LiveSound:
    """The live sound of a node's microphones; its ears feed it."""
    rooms: dict[SourceId, RoomId] = {}
    for area in own_config(site, config.node).areas:
        rooms |= {one.id: area for one in site.cameras_of(area) if one.sound != "none"}
        rooms |= {one.id: area for one in site.pickups if one.area == area}
    return LiveSound(asyncio.get_running_loop(), rooms, clock)


def open_voices(
    config: EdgeSettings,
    site: Site,
    wiring: Wiring,
    sound: LiveSound,
    environ: Mapping[str, str],
) -> Voices:
    """Both ways of sound.

    Raises:
        SecretKeyError, UnknownCredentialError: a camera's password cannot be had.
    """
    book = VoiceBook(site.config.id, config.node, wiring.outbox, wiring.disk)
    areas = own_config(site, config.node).areas
    cameras = tuple(one for area in areas for one in site.cameras_of(area))
    mouths = talk_cameras(
        cameras,
        lambda camera: credentials_of(camera, config.credentials_path, environ),
        wiring.clock,
    )
    desk = TalkDesk(mouths, config.data_dir / "talks", book, wiring.disk, wiring.clock)
    desk.close_left()
    return Voices(desk, sound, book)
