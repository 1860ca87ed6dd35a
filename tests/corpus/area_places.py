"""Holds what scenarios of the closed area draw on pictures: gates, seats, doors, floor marks."""

from collections.abc import Sequence

from contracts.units import CameraId
from contracts.zones import PictureZone, Point, ZoneKind
from tests.corpus.rooms import Floor, zone
from tests.corpus.scenario import CAMERA
from tests.corpus.stage import Stage
from zeroentry.composer.geometry import Place
from zeroentry.composer.hall import Chair

GATE = "gate-1"
MARK_STEPS = 4  # marks on the floor across and into the depth


def _clamped(points: Sequence[Point]) -> list[Point]:
    return [(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in points]


def gate(stage: Stage, start: Place, end: Place, camera_id: CameraId = CAMERA) -> PictureZone:
    """A gate on the floor from place to place, as a camera's picture shows it."""
    points = [stage.share(place, 0.0, camera_id) for place in (start, end)]
    return zone(GATE, ZoneKind.GATE, _clamped(points))


def seat_zone(stage: Stage, number: int, chair: Chair, camera_id: CameraId = CAMERA) -> PictureZone:
    """The zone of one seat: the trunk of who sits there, and of who stands at it."""
    lens = stage.lens(camera_id)
    x, z = chair.seat.x_m, chair.seat.z_m
    left, top = lens.px(x - 0.36, 1.6, z)
    right, bottom = lens.px(x + 0.36, 0.55, z)
    if abs(right - left) < 20:  # seen from the side
        middle = (left + right) / 2
        left, right = middle - 20, middle + 20
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    points = _clamped([(px / 640, py / 360) for px, py in corners])
    return zone(f"seat-{number}", ZoneKind.SEAT, points, seat=str(number))


def seats(stage: Stage, camera_id: CameraId = CAMERA) -> list[PictureZone]:
    """The zones of all seats that a camera has well within its picture."""
    out: list[PictureZone] = []
    for number, chair in enumerate(stage.hall.chairs, 1):
        x, y = stage.share(chair.seat, 0.9, camera_id)
        if 0.06 < x < 0.94 and 0.05 < y < 0.95:
            out.append(seat_zone(stage, number, chair, camera_id))
    return out


def marks(stage: Stage, camera_id: CameraId = CAMERA) -> Floor:
    """Marks on the floor that a camera shows, off by nothing: their places were measured."""
    half = stage.hall.width_m / 2 - 0.3
    near, far = 2.2, stage.hall.depth_m
    out: list[tuple[float, float, float, float]] = []
    for i in range(MARK_STEPS):
        for j in range(MARK_STEPS):
            x = -half + 2 * half * i / (MARK_STEPS - 1)
            z = near + (far - near) * j / (MARK_STEPS - 1)
            if stage.lens(camera_id).seen(x, z)[1] < 1.0:
                continue
            px, py = stage.share(Place(x, z), 0.0, camera_id)
            if 0 <= px <= 1 and 0 <= py <= 1.4:
                out.append((px, py, x, z))
    return tuple(out[:16])


def door_zone(
    zone_id: str, leads_to: str, stage: Stage, around: Place, half_m: float = 0.6
) -> PictureZone:
    """The patch of floor and the opening before it out of which people come."""
    x, z = around.x_m, around.z_m
    corners = [
        stage.share(Place(x - half_m, z), 0.0),
        stage.share(Place(x - half_m, z), 2.0),
        stage.share(Place(x + half_m, z), 2.0),
        stage.share(Place(x + half_m, z), 0.0),
        stage.share(Place(x + half_m, z - 0.5), 0.0),
        stage.share(Place(x - half_m, z - 0.5), 0.0),
    ]
    return zone(zone_id, ZoneKind.DOOR, _clamped(corners), leads_to=leads_to)
