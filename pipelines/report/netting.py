"""How a cycle is drawn: agents on a circle, an arrow for what each pays another, amounts and net positions beside them.

Everything is in pixels of a drawing that is `WIDTH` wide; what does not fit beside an arrow stands in the tables with
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, hypot, pi, sin

from pipelines.report import wording

WIDTH = 360
NODES_MAX = 10
_NAMED_NODES_MAX = 5
_NAME_CHARACTERS_MAX = 18
_NODE_RADIUS = 14
_RADIUS, _ABOVE = 108, 50
_OUTWARDS = 22
_PAIR_MIDDLE, _PAIR_LINES_BELOW = 62, 50
_ARROW = 8
_WIDEST = 5.0
_LINE_HEIGHT = 13
_LABEL_SPOTS = (0.5, 0.4, 0.6, 0.32, 0.68)

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Member:
    """An agent of a cycle; money in minor units."""

    agent: str
    paid: int
    received: int
    net_position: int


@dataclass(frozen=True, slots=True)
class Leg:
    """All that one agent pays another in a cycle; value in minor units."""

    sender: str
    receiver: str
    transactions: int
    value: int


@dataclass(frozen=True, slots=True)
class Node:
    """An agent, or several that are drawn as one. mark: what stands in its circle. lines: what stands beside it."""

    at: Point
    mark: str
    said: str
    lines: tuple[str, ...]
    lines_at: Point


@dataclass(frozen=True, slots=True)
class Arrow:
    """A leg as a curve with a head. label: its amount, where there is room for it."""

    path: str
    head: str
    stroke_width: float
    said: str
    label: str | None
    label_at: Point


@dataclass(frozen=True, slots=True)
class Drawing:
    """A cycle, drawn. hidden_labels: arrows whose amount had no room."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    hidden_labels: int


def draw_cycle(members: Sequence[Member], legs: Sequence[Leg]) -> Drawing:
    """Draws a cycle, members clockwise from the top in their order; its mark is a member's place, from 1.

    Of more than NODES_MAX members the first are drawn, and the rest as one.
    """
    drawn, legs = _gathered(members, legs)
    center = (WIDTH / 2, _PAIR_MIDDLE if len(drawn) == 2 else _RADIUS + _ABOVE)
    turn = {2: pi, 4: -3 * pi / 4}.get(len(drawn), -pi / 2)  # the sides have least room for names
    radius = _RADIUS
    spots = {
        member.agent: (
            center[0] + radius * cos(turn + 2 * pi * place / len(drawn)),
            center[1] + radius * sin(turn + 2 * pi * place / len(drawn)),
        )
        for place, member in enumerate(drawn)
    }
    nodes = tuple(
        _node(member, str(place + 1) if member in members else "…", spots[member.agent], center, len(drawn))
        for place, member in enumerate(drawn)
    )
    taken = [_box_of_lines(node) for node in nodes] + [_box(node.at, 30, 30) for node in nodes]
    widest = max(leg.value for leg in legs)
    bend = 0.3 if len(drawn) == 2 else 0.16
    arrows = tuple(
        _arrow(leg, spots[leg.sender], spots[leg.receiver], bend, leg.value / widest, taken)
        for leg in sorted(legs, key=lambda leg: (-leg.value, leg.sender, leg.receiver))
    )
    lowest = max(node.lines_at[1] + _LINE_HEIGHT * (len(node.lines) - 1) for node in nodes)
    height = ceil(max(lowest, *(node.at[1] + _NODE_RADIUS for node in nodes))) + 8
    return Drawing(WIDTH, height, nodes, arrows, sum(arrow.label is None for arrow in arrows))


def _gathered(members: Sequence[Member], legs: Sequence[Leg]) -> tuple[list[Member], list[Leg]]:
    """The members to draw, the last ones of many as one, and the legs among those."""
    if len(members) <= NODES_MAX:
        return [*members], [*legs]
    kept, rest = members[: NODES_MAX - 1], members[NODES_MAX - 1 :]
    shown = {member.agent for member in kept}
    others = f"{len(rest):,} others"
    name = {member.agent: member.agent if member.agent in shown else others for member in members}
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for leg in legs:
        ends = name[leg.sender], name[leg.receiver]
        if ends[0] != ends[1]:  # what the others pay each other is no arrow
            transactions, value = sums.get(ends, (0, 0))
            sums[ends] = transactions + leg.transactions, value + leg.value
    gathered = Member(
        others,
        sum(member.paid for member in rest),
        sum(member.received for member in rest),
        sum(member.net_position for member in rest),
    )
    return [*kept, gathered], [Leg(*ends, *figures) for ends, figures in sums.items()]


def _node(member: Member, mark: str, at: Point, center: Point, nodes: int) -> Node:
    net = signed_money(member.net_position)
    named = nodes <= _NAMED_NODES_MAX or mark == "…"
    lines = (_shortened(member.agent), net) if named else (net,)
    if nodes == 2:
        first = at[1] + _PAIR_LINES_BELOW
    elif at[1] <= center[1]:
        first = at[1] - _NODE_RADIUS - 6 - _LINE_HEIGHT * (len(lines) - 1)
    else:
        first = at[1] + _NODE_RADIUS + 14
    half = max(map(_width, lines)) / 2
    outwards = at[0] + (at[0] - center[0]) / _RADIUS * (_OUTWARDS if nodes > 2 else 0)
    x = min(max(outwards, half + 2), WIDTH - half - 2)
    said = (
        f"{member.agent}: paid {wording.money(member.paid)}, received {wording.money(member.received)}, "
        f"net position {net}"
    )
    return Node(_fixed(at), mark, said, lines, _fixed((x, first)))


def signed_money(minor: int) -> str:
    """An amount with its sign: `+2.50`, `0.00`."""
    return f"+{wording.money(minor)}" if minor > 0 else wording.money(minor)


def _width(text: str) -> float:
    """About how wide a text is, in bold: fonts differ from one reader to the next, so rather more than less."""
    return sum(10.5 if letter in "MW@%" else 8.5 if letter.isupper() else 6.8 for letter in text)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS_MAX else f"{name[: _NAME_CHARACTERS_MAX - 1]}…"


def _arrow(leg: Leg, start: Point, end: Point, bend: float, share: float, taken: list[Box]) -> Arrow:
    """An arrow that bends to its left, so that what comes back has a way of its own; takes the room of its label."""
    away = end[0] - start[0], end[1] - start[1]
    control = (start[0] + end[0]) / 2 + away[1] * bend, (start[1] + end[1]) / 2 - away[0] * bend
    width = 1 + (_WIDEST - 1) * share
    first = _towards(start, control, _NODE_RADIUS + 1)
    tip = _towards(end, control, _NODE_RADIUS + 2)
    neck = _towards(end, control, _NODE_RADIUS + 2 + _ARROW)
    head = _head(tip, neck, 3 + width / 2)
    path = f"M{_said(first)} Q{_said(control)} {_said(neck)}"
    amount = wording.money(leg.value)
    label, label_at = None, control
    for along in _LABEL_SPOTS:
        spot = _on_curve(start, control, end, along)
        box = _box(spot, _width(amount) + 4, _LINE_HEIGHT + 2)
        if box[0] >= 0 and box[2] <= WIDTH and not any(_overlap(box, other) for other in taken):
            label, label_at = amount, spot
            taken.append(box)
            break
    said = f"{leg.sender} to {leg.receiver}: {amount} in {wording.counted(leg.transactions, 'transaction')}"
    return Arrow(path, head, round(width, 2), said, label, _fixed(label_at))


def _head(tip: Point, neck: Point, half: float) -> str:
    along = (tip[0] - neck[0]) / _ARROW, (tip[1] - neck[1]) / _ARROW
    left = neck[0] - along[1] * half, neck[1] + along[0] * half
    right = neck[0] + along[1] * half, neck[1] - along[0] * half
    return f"{_said(tip)} {_said(left)} {_said(right)}"


def _towards(start: Point, end: Point, distance: float) -> Point:
    far = hypot(end[0] - start[0], end[1] - start[1])
    return start[0] + (end[0] - start[0]) * distance / far, start[1] + (end[1] - start[1]) * distance / far


def _on_curve(start: Point, control: Point, end: Point, along: float) -> Point:
    first, second, third = (1 - along) ** 2, 2 * along * (1 - along), along**2
    return (
        first * start[0] + second * control[0] + third * end[0],
        first * start[1] + second * control[1] + third * end[1],
    )


def _box(center: Point, width: float, height: float) -> Box:
    return center[0] - width / 2, center[1] - height / 2, center[0] + width / 2, center[1] + height / 2


def _box_of_lines(node: Node) -> Box:
    width = max(map(_width, node.lines))
    left, top = node.lines_at[0] - width / 2, node.lines_at[1] - _LINE_HEIGHT + 2
    return left, top, left + width, top + _LINE_HEIGHT * len(node.lines)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fixed(point: Point) -> Point:
    return round(point[0], 1), round(point[1], 1)


def _said(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
