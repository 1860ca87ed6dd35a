"""Routes of the edge nodes' video: live pages, recordings, clips of alerts; each link is logged."""

import asyncio
from typing import Annotated, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Path, Query

from contracts.api import BASE, ClipLink, PageLink, Sentence, SoundLink
from contracts.devices import CameraConfig
from contracts.units import ID_PATTERN, CameraId, UtcMs
from controller.api.alerts import AlertPath, find_alert
from controller.api.context import (
    TICKET_SCOPE,
    TICKET_TTL_MS,
    Caller,
    Context,
    ContextNeeded,
    Needs,
)
from controller.api.nodes import NodeDoor, camera_resource, check_sealed, door_of
from controller.api.problems import ProblemError, not_found
from controller.auth.scopes import Scope
from controller.core.alerts import AlertRecord
from controller.core.state import is_own
from runtime.tokens import TICKET_TTL_MAX_MS

log = structlog.get_logger(__name__)

router = APIRouter(prefix=BASE, tags=["video"])

RECORDING_SCOPE: Final = "recording"  # the edge nodes' name for it, and ours
SOUND_SCOPE: Final = "sound"  # hearing is a right of its own, there and here
RECORDING_TTL_MS: Final = TICKET_TTL_MAX_MS
# A page of recordings is worked with for a while, and asks the node with one ticket all along.
ZONES_SCOPE: Final = "zones"  # the edge nodes' name for it
BEFORE_ALERT_MS: Final = 10_000  # as the nodes cut it: the moment before
AFTER_ALERT_MS: Final = 20_000  # and what came of it
SETTLED_MS: Final = 1_500  # the node's last fragment, its sync, and its index
CLIP_MIN_MS: Final = 1_000  # nor a shorter one
CLIP_MAX_MS: Final = 10 * 60_000  # the nodes cut no longer clip

CameraPath = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a camera of the site.")]
FromQuery = Annotated[
    int | None, Query(alias="from", ge=0, description="The list begins here, UTC milliseconds.")
]
ToQuery = Annotated[
    int | None, Query(alias="to", ge=0, description="The list ends here, UTC milliseconds.")
]
EarlyQuery = Annotated[
    bool, Query(alias="early", description="What there is, where the 20 s after are not over.")
]
AlertQuery = Annotated[
    str | None,
    Query(alias="alert", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Play this alert's clip."),
]


def _camera(context: Context, camera_id: CameraId) -> CameraConfig:
    for camera in context.state().plan.site.cameras:
        if camera.id == camera_id:
            return camera
    raise not_found("camera", camera_id)


def _door(context: Context, camera: CameraConfig) -> NodeDoor:
    return door_of(context, context.state().plan.watcher.get(camera.area))


@router.get("/cameras/{camera_id}/live")
async def get_live_page(
    camera_id: CameraPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.MEDIA))],
) -> PageLink:
    """The live page of a camera at its edge node, for who may see its picture now."""
    camera = _camera(context, camera_id)
    ttl_ms = min(TICKET_TTL_MS, await check_sealed(context, caller, camera.area))
    door = _door(context, camera)
    ticket = door.ticket(caller, TICKET_SCOPE, camera_resource(camera.id), ttl_ms)
    log.info("live_link_issued", camera_id=camera.id, username=caller.user.username)
    return PageLink(
        camera_id=camera.id,
        url=f"{door.base}/view/{camera.id}?{urlencode({'ticket': ticket})}",
        expires_utc_ms=UtcMs(door.now_utc_ms + ttl_ms),
    )


@router.get("/cameras/{camera_id}/zones")
async def get_zones_page(
    camera_id: CameraPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.ZONES_DRAW))],
) -> PageLink:
    """The editor of zones on a camera's picture, for who may see that picture now."""
    camera = _camera(context, camera_id)
    ttl_ms = min(RECORDING_TTL_MS, await check_sealed(context, caller, camera.area))
    door = _door(context, camera)
    ticket = door.ticket(caller, ZONES_SCOPE, camera_resource(camera.id), ttl_ms)
    log.info("zones_link_issued", camera_id=camera.id, username=caller.user.username)
    return PageLink(
        camera_id=camera.id,
        url=f"{door.base}/view/{camera.id}/zones?{urlencode({'ticket': ticket})}",
        expires_utc_ms=UtcMs(door.now_utc_ms + ttl_ms),
    )


@router.get("/cameras/{camera_id}/recordings")
async def get_recordings_page(
    camera_id: CameraPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RECORDINGS))],
    begin: FromQuery = None,
    end: ToQuery = None,
    alert: AlertQuery = None,
) -> PageLink:
    """The page of a camera's recordings at its edge node; ``alert``: with that clip playing.

    A recording holds picture and sound together, so it takes the right to both.
    """
    camera = _camera(context, camera_id)
    if not caller.sees_room_now(context, camera.area):
        raise not_found("camera", camera_id)
    _check_recorded(caller)
    door = _door(context, camera)
    ticket = door.ticket(caller, RECORDING_SCOPE, camera_resource(camera.id), RECORDING_TTL_MS)
    given = {"ticket": ticket, "from": begin, "to": end, "alert": alert}
    asked = {name: value for name, value in given.items() if value is not None}
    log.info(
        "recordings_link_issued", camera_id=camera.id, username=caller.user.username,
        from_utc_ms=begin, to_utc_ms=end, alert_id=alert,
    )  # fmt: skip
    return PageLink(
        camera_id=camera.id,
        url=f"{door.base}/view/{camera.id}/recordings?{urlencode(asked)}",
        expires_utc_ms=UtcMs(door.now_utc_ms + RECORDING_TTL_MS),
    )


@router.get("/alerts/{alert_id}/clip")
async def get_clip(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.RECORDINGS))],
    early: EarlyQuery = False,  # noqa: FBT002  # a query parameter, always given by name
) -> ClipLink:
    """Where a browser plays an alert's clip: from 10 s before it began to 20 s after it was raised.

    Before ``complete_utc_ms`` the node answers 425, unless the address was asked for ``early``.
    """
    record = await _seen_alert(context, caller, alert_id)
    _check_recorded(caller)
    camera = _seen_by(context, record)
    own = is_own(record)
    door = _door(context, camera) if own else door_of(context, record.alert.node_id)
    begin, end = _interval(record)
    complete = UtcMs(end + SETTLED_MS)
    early = early and door.now_utc_ms < complete
    if early:
        # A fixed end: a browser fetches by ranges, and what grows between two of them breaks.
        end = UtcMs(max(door.now_utc_ms - SETTLED_MS, begin + CLIP_MIN_MS))
    if own or early:
        # A node cuts by its own alerts; of ours it has never heard, so it is asked by the time.
        path = f"{camera_resource(camera.id)}/clip.mp4"
        asked = {"from": str(begin), "to": str(end)}
    else:
        path = f"{BASE}/alerts/{record.id}/clip.mp4"
        asked = {} if _witness(record) else {"camera": camera.id}
    resource = camera_resource(camera.id) if "camera" in asked else path
    asked["ticket"] = door.ticket(caller, RECORDING_SCOPE, resource, RECORDING_TTL_MS)
    log.info(
        "clip_link_issued", alert_id=record.id, camera_id=camera.id,
        username=caller.user.username, early=early,
    )  # fmt: skip
    return ClipLink(
        alert_id=record.id,
        camera_id=camera.id,
        url=f"{door.base}{path}?{urlencode(asked)}",
        early=early,
        from_utc_ms=begin,
        to_utc_ms=end,
        complete_utc_ms=complete,
        expires_utc_ms=UtcMs(door.now_utc_ms + RECORDING_TTL_MS),
    )


@router.get("/alerts/{alert_id}/sound")
async def get_sound(
    alert_id: AlertPath,
    context: ContextNeeded,
    caller: Annotated[Caller, Depends(Needs(Scope.SOUND))],
) -> SoundLink:
    """Where a browser hears the seconds before an alert; each asking is a listening, and logged."""
    record = await _seen_alert(context, caller, alert_id)
    caller.needs_sound()
    sound = record.alert.sound
    if sound is None:
        text = Sentence(
            zh="该预警没有声音：仅在封闭期间由声音触发的预警才保存声音。",
            en="No sound belongs to this alert: one is kept only for what was heard while sealed.",
        )
        raise ProblemError(404, text)
    door = door_of(context, record.alert.node_id)
    ticket = door.ticket(caller, SOUND_SCOPE, sound.path, TICKET_TTL_MS)
    log.info(
        "sound_link_issued", alert_id=record.id, source_id=sound.source_id,
        username=caller.user.username,
    )  # fmt: skip
    return SoundLink(
        alert_id=record.id,
        source_id=sound.source_id,
        url=f"{door.base}{sound.path}?{urlencode({'ticket': ticket})}",
        from_utc_ms=sound.from_utc_ms,
        duration_ms=sound.duration_ms,
        expires_utc_ms=UtcMs(door.now_utc_ms + TICKET_TTL_MS),
    )


def _check_recorded(caller: Caller) -> None:
    caller.needs_picture()
    caller.needs_sound()


async def _seen_alert(context: Context, caller: Caller, alert_id: str) -> AlertRecord:
    record = await find_alert(context, alert_id)
    if not await asyncio.to_thread(caller.sees_alert, context, record):
        raise not_found("alert", alert_id)
    return record


def _witness(record: AlertRecord) -> CameraId | None:
    """The camera that saw an alert, as its node knows it too: the one that its picture is of."""
    alert = record.alert
    return alert.camera_id or (alert.picture.camera_id if alert.picture else None)


def _seen_by(context: Context, record: AlertRecord) -> CameraConfig:
    """The camera that saw an alert, else the first of its room."""
    witness = _witness(record)
    if witness is not None:
        return _camera(context, witness)
    cameras = context.state().plan.site.cameras_of(record.alert.room_id)
    if not cameras:
        text = Sentence(
            zh="该预警所在区域没有摄像机，因此没有录像片段。",
            en="No camera watches the alert's area, so there is no clip of it.",
        )
        raise ProblemError(404, text)
    return cameras[0]


def _interval(record: AlertRecord) -> tuple[UtcMs, UtcMs]:
    """What the clip covers, UTC: a condition that lasted long shows its last ten minutes."""
    end = record.alert.raised_utc_ms + AFTER_ALERT_MS
    begin = max(record.alert.since_utc_ms - BEFORE_ALERT_MS, end - CLIP_MAX_MS, 0)
    return UtcMs(begin), UtcMs(end)
