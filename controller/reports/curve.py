"""Draws the curve of a session's head count as SVG."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.api.report import HeadCountPoint
from controller.reports.documents import SANS

WIDTH: Final = 760
HEIGHT: Final = 190
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 12, 28
Place = Callable[[float], float]
"""Where a value lies on its axis."""
LABELS_MAX: Final = 9  # times under the axis that do not touch each other


def curve_svg(
    points: Sequence[HeadCountPoint],
    since_utc_ms: int,
    until_utc_ms: int,
    admitted: int,
    zone: ZoneInfo,
) -> bytes:
    """The curve between two moments; where nobody could tell, the line breaks."""
    most = max([admitted, 1, *(row.people or 0 for row in points)]) + 1
    span = max(until_utc_ms - since_utc_ms, 1)

    def at(utc_ms: float) -> float:
        inside = min(max(utc_ms, since_utc_ms), until_utc_ms) - since_utc_ms
        return LEFT + (WIDTH - LEFT - RIGHT) * inside / span

    def up(people: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * people / most

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="{SANS}" font-size="9" fill="#5a6472">'
        )
    ]
    step = max(1, -(-most // 6))
    for people in range(0, most + 1, step):
        y = up(people)
        parts.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" '
            'stroke="#dfe4ea" stroke-width="0.6"/>'
            f'<text x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end">{people}</text>'
        )
    for place in range(LABELS_MAX):
        moment = since_utc_ms + span * place // (LABELS_MAX - 1)
        clock = datetime.fromtimestamp(moment / 1_000, UTC).astimezone(zone)
        anchor = {0: "start", LABELS_MAX - 1: "end"}.get(place, "middle")
        parts.append(
            f'<text x="{at(moment):.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">'
            f"{clock:%H:%M}</text>"
        )
    y = up(admitted)
    parts.append(
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#1c2430" '
        'stroke-width="0.9" stroke-dasharray="5 4"/>'
    )
    parts += [
        f'<path d="{path}" fill="none" stroke="#14527a" stroke-width="1.5"/>'
        for path in _steps(points, until_utc_ms, at, up)
    ]
    parts.append("</svg>")
    return "".join(parts).encode()


def _steps(points: Sequence[HeadCountPoint], until_utc_ms: int, at: Place, up: Place) -> list[str]:
    """Stairs, one path for each stretch that somebody saw."""
    paths: list[str] = []
    path = ""
    ends = [*(int(row.utc_ms) for row in points[1:]), until_utc_ms]
    for row, end in zip(points, ends, strict=False):
        if row.people is None:
            paths.append(path)
            path = ""
            continue
        y = up(row.people)
        path += f"{'L' if path else 'M'}{at(row.utc_ms):.1f} {y:.1f}L{at(end):.1f} {y:.1f}"
    return [one for one in (*paths, path) if one]


def unknown_ms(points: Sequence[HeadCountPoint], until_utc_ms: int) -> int:
    """For how long nobody could tell how many people there were."""
    ends = [*(int(row.utc_ms) for row in points[1:]), until_utc_ms]
    return sum(
        max(0, end - row.utc_ms)
        for row, end in zip(points, ends, strict=False)
        if row.people is None
    )
