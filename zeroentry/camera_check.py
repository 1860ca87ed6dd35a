"""Holds one camera's device against its file, and sets what may be set from here."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.devices import CameraConfig, StreamConfig
from edge.capture.onvif import OnvifDevice, visit
from edge.capture.onvif_profiles import (
    Difference,
    DifferenceKind,
    OnvifLost,
    OnvifReason,
    Profile,
    choose_both,
    differences,
    wanted_video,
)
from runtime.clock import Clock

SETTABLE = frozenset({DifferenceKind.SIZE, DifferenceKind.FPS, DifferenceKind.KEY_FRAMES})


@dataclass(frozen=True, slots=True)
class Checked:
    """What still differs, and what was set (``main``, ``sub``, ``clock``) on the way."""

    left: tuple[Difference, ...]
    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


async def hold_against(
    camera: CameraConfig,
    host: str,
    port: int,
    pair: tuple[str, str] | None,
    clock: Clock,
    *,
    apply: bool = False,
    ntp: Sequence[str] = (),
) -> Checked:
    """Compare, set with ``apply`` what can be set, and compare again.

    ``ntp`` are time servers to set when the clock is off. A device takes minutes to follow them, so
    a wrong clock stays in ``left``: check again later.

    Raises:
        OnvifLost: with the reason.
    """
    async with visit(host, port, pair, clock) as device:
        left, main, sub = await _compare(camera, device)
        applied: list[str] = []
        if apply:
            if _settable(left, "main"):
                await _set(device, main, camera.main)
                applied.append("main")
            if sub is not None and camera.sub is not None and _settable(left, "sub"):
                await _set(device, sub, camera.sub)
                applied.append("sub")
            if ntp and any(each.kind is DifferenceKind.CLOCK for each in left):
                await device.set_ntp(ntp)
                applied.append("clock")
        if applied:
            left, _, _ = await _compare(camera, device)
        return Checked(left, tuple(applied), device.notices)


async def _compare(
    camera: CameraConfig, device: OnvifDevice
) -> tuple[tuple[Difference, ...], Profile, Profile | None]:
    main, sub = choose_both(await device.profiles(), camera)
    return differences(camera, main, sub, device.clock_offset_ms), main, sub


def _settable(left: Sequence[Difference], which: str) -> bool:
    return any(each.which == which and each.kind in SETTABLE for each in left)


async def _set(device: OnvifDevice, profile: Profile, wanted: StreamConfig) -> None:
    if profile.video is None:
        raise OnvifLost(OnvifReason.NO_PROFILE, f"profile {profile.token} has no picture")
    await device.set_video(profile, wanted_video(profile.video, wanted))
