"""Draws a robot map as SVG, one picture a floor: ways, zones, one-lane stretches, doors, lifts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Final

from contracts.devices import Named, ZonePolicy
from contracts.layout import MapNode
from contracts.units import Bilingual
from controller.core.map_checks import OneLane, one_lane
from controller.core.plan import SitePlan

MARGIN_PX: Final = 90.0
HEAD_PX: Final = 64.0
LEGEND_PX: Final = 74.0
NODES_APART_PX: Final = 118.0  # names of two lines in both languages fit side by side
SCALE_MIN: Final = 10.0
SCALE_MAX: Final = 70.0  # a picture of four nodes should not fill a wall
NAMED_MAX: Final = 80  # on a floor of more nodes only stops, refuges and lifts are named
WIDTH_MIN_PX: Final = 900.0

INK: Final = "#1d2733"
PAPER: Final = "#ffffff"
WAY: Final = "#8a97a6"
LANE: Final = "#b45309"
POLICY_COLOURS: Final = {
    ZonePolicy.CLOSED: "#b91c1c",
    ZonePolicy.EXPERTS_ONLY: "#1d4ed8",
    ZonePolicy.OPEN: "#15803d",
}
POLICY_NAMES: Final = {
    ZonePolicy.CLOSED: Bilingual("封闭区", "closed"),
    ZonePolicy.EXPERTS_ONLY: Bilingual("仅专家", "experts only"),
    ZonePolicy.OPEN: Bilingual("开放区", "open"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn: the language (``zh``, ``en``; None: both), and robots at their homes."""

    language: str | None = None
    robots: bool = False

    def lines(self, zh: str, en: str) -> tuple[str, ...]:
        """A text in the languages that are wanted, one a line."""
        if self.language is not None:
            return (zh if self.language == "zh" else en,)
        return (zh,) if zh == en else (zh, en)

    def named(self, name: Named) -> tuple[str, ...]:
        """A name of a site's file."""
        return self.lines(name.zh, name.en)

    def of_node(self, node: MapNode) -> tuple[str, ...]:
        """A node's name; a map that has both languages writes them as `中文 / English`."""
        zh, slash, en = node.name.partition(" / ")
        return self.lines(zh, en) if slash else (node.name,)


BOTH: Final = Look()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Turns metres of one floor into pixels: x right, y up."""

    nodes: Mapping[str, MapNode]
    scale: float
    left_m: float
    top_m: float
    width: float
    height: float

    def xy(self, node: str) -> tuple[float, float]:
        place = self.nodes[node]
        x = MARGIN_PX + (place.x_m - self.left_m) * self.scale
        return x, HEAD_PX + MARGIN_PX / 2 + (self.top_m - place.y_m) * self.scale


def floors_of(plan: SitePlan) -> tuple[tuple[str, str], ...]:
    """The floors of a map: what robots call it, and its name."""
    known = dict(plan.map.floors)
    for node in plan.map.nodes.values():
        known.setdefault(node.map_id, node.map_id)
    return tuple(known.items())


def picture(plan: SitePlan, floor: str, look: Look = BOTH) -> str:
    """One floor as an SVG document."""
    sheet = _sheet(plan, floor)
    title = next((name for known, name in floors_of(plan) if known == floor), floor)
    lanes = [lane for lane in one_lane(plan.map) if lane.nodes[0] in sheet.nodes]
    parts = [
        *_zones(plan, sheet, look),
        *_lanes(lanes, sheet, look),
        *_ways(plan, sheet),
        *_lifts(plan, sheet, look),
        *_nodes(plan, sheet, look),
        *_doors(plan, sheet, look),
        *(_robots(plan, sheet, look) if look.robots else ()),
        *_legend(sheet, look),
    ]
    width, height = sheet.width, sheet.height
    head = " · ".join((*look.named(plan.site.config.name), title))
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(head)}" '
        'font-family="Noto Sans CJK SC, Noto Sans SC, Noto Sans, sans-serif" font-size="12" '
        f'fill="{INK}">'
    )
    paper = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    name = f'<text x="24" y="34" font-size="20" font-weight="600">{escape(head)}</text>'
    return "\n".join([frame, paper, name, *parts, "</svg>", ""])


def _sheet(plan: SitePlan, floor: str) -> _Sheet:
    nodes = {name: node for name, node in plan.map.nodes.items() if node.map_id == floor}
    if not nodes:
        raise KeyError(floor)
    xs, ys = [node.x_m for node in nodes.values()], [node.y_m for node in nodes.values()]
    near = [
        edge.length_m
        for edge in plan.map.edges.values()
        if edge.start in nodes and edge.end in nodes and edge.length_m > 0
    ]
    scale = NODES_APART_PX / median(near) if near else SCALE_MAX
    scale = min(SCALE_MAX, max(SCALE_MIN, scale))
    width = max(WIDTH_MIN_PX, (max(xs) - min(xs)) * scale + 2 * MARGIN_PX)
    height = (max(ys) - min(ys)) * scale + HEAD_PX + 2 * MARGIN_PX + LEGEND_PX
    return _Sheet(nodes, scale, min(xs), max(ys), width, height)


def _zones(plan: SitePlan, sheet: _Sheet, look: Look) -> Iterator[str]:
    for zone in plan.zones.values():
        inside = [node for node in zone.nodes if node in sheet.nodes]
        if not inside:
            continue
        colour = POLICY_COLOURS[zone.policy]
        yield f'<g stroke="{colour}" stroke-width="46" stroke-linecap="round" opacity="0.16">'
        for node in inside:
            x, y = sheet.xy(node)
            yield f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y:.1f}"/>'
            for end in plan.ways.get(node, {}):
                if end in inside and node < end:
                    u, v = sheet.xy(end)
                    yield f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}"/>'
        yield "</g>"
        at = min(inside, key=lambda node: (sheet.xy(node)[1], sheet.xy(node)[0]))
        x, y = sheet.xy(at)
        name = " / ".join(look.named(zone.name))
        what = " / ".join(look.lines(*POLICY_NAMES[zone.policy]))
        right = x > 0.7 * sheet.width
        yield (
            f'<text x="{x + (22 if right else -22):.1f}" y="{y - 45:.1f}" font-size="11" '
            f'text-anchor="{"end" if right else "start"}" fill="{colour}">'
            f"{escape(name)} ({escape(what)})</text>"
        )


def _lanes(lanes: list[OneLane], sheet: _Sheet, look: Look) -> Iterator[str]:
    for lane in lanes:
        if any(node not in sheet.nodes for node in lane.nodes):
            continue
        points = " ".join("{:.1f},{:.1f}".format(*sheet.xy(node)) for node in lane.nodes)
        dash = "" if lane.only_way else ' stroke-dasharray="3 7"'
        yield (
            f'<polyline points="{points}" fill="none" stroke="{LANE}" stroke-width="9" '
            f'opacity="0.35"{dash}/>'
        )
        (x, y), (u, v) = sheet.xy(lane.nodes[0]), sheet.xy(lane.nodes[1])
        word = " ".join(look.lines("单行", "one lane"))
        yield _label((x + u) / 2, (y + v) / 2 - 8, (f"{word} {lane.length_m:.1f} m",), LANE, 10)


def _ways(plan: SitePlan, sheet: _Sheet) -> Iterator[str]:
    for edge in plan.map.edges.values():
        if edge.start not in sheet.nodes or edge.end not in sheet.nodes:
            continue
        both = edge.start in plan.ways.get(edge.end, {})
        if both and edge.start > edge.end:
            continue
        (x, y), (u, v) = sheet.xy(edge.start), sheet.xy(edge.end)
        yield (
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}" stroke="{WAY}" '
            'stroke-width="2"/>'
        )
        if not both:
            yield _arrow(x, y, u, v)


def _arrow(x: float, y: float, u: float, v: float) -> str:
    """The head of a one-way way, at its middle."""
    angle = math.degrees(math.atan2(v - y, u - x))
    return (
        f'<path d="M-6,-5 L6,0 L-6,5 Z" fill="{WAY}" '
        f'transform="translate({(x + u) / 2:.1f} {(y + v) / 2:.1f}) rotate({angle:.1f})"/>'
    )


def _lifts(plan: SitePlan, sheet: _Sheet, look: Look) -> Iterator[str]:
    for lift in plan.lifts.values():
        for row in lift.floors:
            if row.cab_node not in sheet.nodes:
                continue
            x, y = sheet.xy(row.cab_node)
            yield (
                f'<rect x="{x - 24:.1f}" y="{y - 24:.1f}" width="48" height="48" rx="4" '
                f'fill="#eef2f7" stroke="{INK}" stroke-width="2"/>'
            )
            served = ", ".join(other.floor for other in lift.floors)
            yield _label(x, y - 44, look.named(lift.name), INK, 12)
            yield _label(x, y + 66, (f"⇅ {served}",), INK, 10)


def _doors(plan: SitePlan, sheet: _Sheet, look: Look) -> Iterator[str]:
    for door in plan.doors.values():
        for start, end in door.ways:
            if start not in sheet.nodes or end not in sheet.nodes:
                continue
            (x, y), (u, v) = sheet.xy(start), sheet.xy(end)
            angle = math.degrees(math.atan2(v - y, u - x))
            fill = "#dc2626" if door.fire_door else INK
            at = f"translate({(x + u) / 2:.1f} {(y + v) / 2:.1f})"
            yield (
                f'<rect x="-4" y="-17" width="8" height="34" rx="2" fill="{fill}" '
                f'stroke="{PAPER}" stroke-width="1.5" transform="{at} rotate({angle:.1f})"/>'
            )
            yield _label((x + u) / 2, (y + v) / 2 + 30, look.named(door.name), fill, 11)


def _nodes(plan: SitePlan, sheet: _Sheet, look: Look) -> Iterator[str]:
    few = len(sheet.nodes) <= NAMED_MAX
    doors = set(plan.door_nodes.values())
    for name, node in sheet.nodes.items():
        x, y = sheet.xy(name)
        stop = name in doors or name == plan.kitchen_node
        fill = INK if stop else PAPER
        if name in plan.refuges:
            yield (
                f'<rect x="{x - 8:.1f}" y="{y - 8:.1f}" width="16" height="16" rx="3" '
                f'fill="#dbeafe" stroke="{INK}" stroke-width="1.5"/>'
            )
            mark = "⚡" if name in plan.chargers else "P"
            yield _label(x, y + 4, (mark,), INK, 11)
        else:
            yield (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{7 if stop else 5}" fill="{fill}" '
                f'stroke="{INK}" stroke-width="1.5"/>'
            )
        if few or stop or name in plan.refuges:
            below = 24.0 if _is_free_below(plan, sheet, name) else -14.0
            below = below if name not in plan.cab_of else 38.0
            lines = look.of_node(node)
            lift_m = 13.0 * (len(lines) - 1) if below < 0 else 0.0
            yield _label(x, y + below - lift_m, lines, INK, 11)


def _is_free_below(plan: SitePlan, sheet: _Sheet, name: str) -> bool:
    """No way leads down from the node, so its name may stand there."""
    x, y = sheet.xy(name)
    near = {*plan.ways.get(name, {})} | {a for a, rows in plan.ways.items() if name in rows}
    for other in near & set(sheet.nodes):
        u, v = sheet.xy(other)
        if v - y > abs(u - x):
            return False
    return True


def _robots(plan: SitePlan, sheet: _Sheet, look: Look) -> Iterator[str]:
    for robot in plan.robots.values():
        if robot.home_node not in sheet.nodes:
            continue
        x, y = sheet.xy(robot.home_node)
        yield (
            f'<g transform="translate({x + 15:.1f} {y - 15:.1f})"><circle r="11" fill="#0f766e" '
            f'stroke="{PAPER}" stroke-width="2"/><path d="M-3,-5 L6,0 L-3,5 Z" fill="{PAPER}"/></g>'
        )
        text = " / ".join(look.named(robot.name))
        yield (
            f'<text x="{x + 30:.1f}" y="{y - 12:.1f}" font-size="11" fill="#0f766e" '
            f'paint-order="stroke" stroke="{PAPER}" stroke-width="3">{escape(text)}</text>'
        )


def _legend(sheet: _Sheet, look: Look) -> Iterator[str]:
    y = sheet.height - LEGEND_PX + 20
    x = 24.0
    for colour, words in (
        *((POLICY_COLOURS[policy], POLICY_NAMES[policy]) for policy in ZonePolicy),
        (LANE, Bilingual("单行段（实线：无绕行）", "one lane (solid: no way round)")),
        (INK, Bilingual("门", "door")),
        ("#dc2626", Bilingual("防火门", "fire door")),
    ):
        if colour == INK:
            x, y = 24.0, y + 22
        text = " / ".join(look.lines(*words))
        yield f'<rect x="{x:.0f}" y="{y - 10:.0f}" width="14" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 20:.0f}" y="{y:.0f}" font-size="11">{escape(text)}</text>'
        x += 44 + sum(11 if ord(char) > 0x2E80 else 6 for char in text)
    marks = look.lines("P 避让位 · ⚡ 充电位 · ● 站点", "P refuge · ⚡ charger · ● stop")
    text = "  |  ".join(marks)
    yield f'<text x="{x:.0f}" y="{y:.0f}" font-size="11">{escape(text)}</text>'
    yield (
        f'<line x1="{sheet.width - 44 - 5 * sheet.scale:.1f}" y1="{y:.0f}" '
        f'x2="{sheet.width - 44:.1f}" y2="{y:.0f}" stroke="{INK}" stroke-width="2"/>'
    )
    yield _label(sheet.width - 44 - 2.5 * sheet.scale, y + 16, ("5 m",), INK, 11)


def _label(x: float, y: float, lines: tuple[str, ...], colour: str, size: int) -> str:
    rows = "".join(
        f'<tspan x="{x:.1f}" dy="{0 if at == 0 else size + 2}">{escape(line)}</tspan>'
        for at, line in enumerate(lines)
    )
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" fill="{colour}" '
        f'paint-order="stroke" stroke="{PAPER}" stroke-width="3" stroke-linejoin="round">{rows}'
        "</text>"
    )
