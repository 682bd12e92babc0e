"""How cycles are drawn."""

import re

import pytest

from pipelines.report.netting import NODES_MAX, WIDTH, Drawing, Leg, Member, draw_cycle

RING = [Member("BANK_A", 500, 470, -30), Member("BANK_C", 490, 500, 10), Member("BANK_D", 470, 490, 20)]
RING_LEGS = [
    Leg("BANK_A", "BANK_C", 1, 500),
    Leg("BANK_C", "BANK_D", 1, 490),
    Leg("BANK_D", "BANK_A", 1, 470),
]


def complete(agents: int) -> tuple[list[Member], list[Leg]]:
    """Every agent pays every other; the value of a leg is told by its ends alone."""
    names = [f"BANK_WITH_A_LONG_NAME_{place:03d}" for place in range(agents)]
    values = {(i, j): 100_000 * (1 + i * agents + j) for i in range(agents) for j in range(agents) if i != j}
    members = [
        Member(name, paid, received, received - paid)
        for place, name in enumerate(names)
        if (paid := sum(value for (i, _), value in values.items() if i == place)) is not None
        and (received := sum(value for (_, j), value in values.items() if j == place)) is not None
    ]
    return members, [Leg(names[i], names[j], 2, value) for (i, j), value in values.items()]


def boxes_of_texts(drawing: Drawing) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of every text at 6 pixels a character, which is wide for 11 pixels of Arial."""
    texts = [
        (line, node.lines_at[0], node.lines_at[1] + 13 * place)
        for node in drawing.nodes
        for place, line in enumerate(node.lines)
    ]
    texts += [(arrow.label, arrow.label_at[0], arrow.label_at[1] + 4) for arrow in drawing.arrows if arrow.label]
    return [(x - 3 * len(text), y - 9, x + 3 * len(text), y + 2) for text, x, y in texts]


def test_a_ring_stands_clockwise_with_its_amounts_and_net_positions() -> None:
    drawing = draw_cycle(RING, RING_LEGS)
    assert [(node.mark, node.lines) for node in drawing.nodes] == [
        ("1", ("BANK_A", "−0.30")),
        ("2", ("BANK_C", "+0.10")),
        ("3", ("BANK_D", "+0.20")),
    ]
    (top, right, left) = (node.at for node in drawing.nodes)
    assert top[1] < right[1] == left[1]
    assert left[0] < top[0] == WIDTH / 2 < right[0]
    assert [(arrow.label, arrow.said) for arrow in drawing.arrows] == [
        ("5.00", "BANK_A to BANK_C: 5.00 in 1 transaction"),
        ("4.90", "BANK_C to BANK_D: 4.90 in 1 transaction"),
        ("4.70", "BANK_D to BANK_A: 4.70 in 1 transaction"),
    ]
    assert drawing.hidden_labels == 0


def test_arrows_lead_from_payer_to_payee() -> None:
    drawing = draw_cycle(RING, RING_LEGS)
    spots = {node.lines[0]: node.at for node in drawing.nodes}
    assert len(drawing.arrows) == len(RING_LEGS)
    for arrow, leg in zip(drawing.arrows, RING_LEGS, strict=True):
        numbers = [float(number) for number in re.findall(r"[\d.]+", arrow.path)]
        start, tip = numbers[:2], [float(number) for number in arrow.head.split()[0].split(",")]
        for point, agent in ((start, leg.sender), (tip, leg.receiver)):
            x, y = spots[agent]
            assert 14 < ((point[0] - x) ** 2 + (point[1] - y) ** 2) ** 0.5 < 18


def test_the_two_ways_of_a_pair_bend_apart() -> None:
    members = [Member("A", 300, 280, -20), Member("B", 280, 300, 20)]
    drawing = draw_cycle(members, [Leg("A", "B", 3, 300), Leg("B", "A", 2, 280)])
    there, back = drawing.arrows
    assert there.label_at[1] < drawing.nodes[0].at[1] < back.label_at[1]
    assert (there.label, back.label) == ("3.00", "2.80")


@pytest.mark.parametrize("agents", [2, 3, 4, 5, 6, 8, 10, 11, 60])
def test_texts_stay_inside_and_apart(agents: int) -> None:
    drawing = draw_cycle(*complete(agents))
    boxes = boxes_of_texts(drawing)
    assert len(boxes) >= min(agents, NODES_MAX)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= drawing.width
        assert 0 <= top < bottom <= drawing.height
    touching = [
        (one, other)
        for place, one in enumerate(boxes)
        for other in boxes[:place]
        if one[0] < other[2] - 2 and other[0] < one[2] - 2 and one[1] < other[3] - 2 and other[1] < one[3] - 2
    ]
    assert touching == []
    assert drawing.hidden_labels == sum(arrow.label is None for arrow in drawing.arrows)


def test_of_many_the_last_are_drawn_as_one_that_keeps_their_sums() -> None:
    members, legs = complete(13)
    drawing = draw_cycle(members, legs)
    assert len(drawing.nodes) == NODES_MAX
    others = drawing.nodes[-1]
    rest = members[NODES_MAX - 1 :]
    assert (len(rest), others.mark, others.lines[0]) == (4, "…", "4 others")
    assert others.said.startswith(f"4 others: paid {sum(member.paid for member in rest) / 1e8:.3g} M")
    # 9 agents pay each other and the others, who pay them.
    assert len(drawing.arrows) == 9 * 8 + 9 * 2
    # The first pays the last four 1,000 times 10, 11, 12 and 13, in two transactions each.
    said = [arrow.said for arrow in drawing.arrows]
    assert f"{members[0].agent} to 4 others: 46.0 k in 8 transactions" in said


def test_long_names_are_cut_beside_a_node_and_whole_in_its_tooltip() -> None:
    long = "A" * 64
    drawing = draw_cycle([Member(long, 1, 1, 0), Member("B", 1, 1, 0)], [Leg(long, "B", 1, 1), Leg("B", long, 1, 1)])
    assert drawing.nodes[0].lines[0] == "A" * 17 + "…"
    assert drawing.nodes[0].said.startswith(long)
