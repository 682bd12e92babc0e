"""What a page says of netting: when cycles settle, what they take and save, between whom, and the largest of them."""

from typing import Any

import polars as pl
from markupsafe import Markup

from pipelines.report import charts, questions, wording
from pipelines.report.marts import Marts
from pipelines.report.netting import NODES_MAX, Leg, Member, draw_cycle
from pipelines.report.parts import Cycle, Listing, Section, drawn, figure, in_sum, table
from pipelines.report.questions import Subject

_AGENTS_SHOWN_MAX = 20
_PAIRS_SHOWN_MAX = 60
_CYCLES_OF_EACH, _CYCLES_SHOWN_MAX = 2, 6
_TRANSACTIONS_SHOWN_MAX = 12
_MEMBERS_SHOWN_MAX = 12
"""What a page has room for; the statements beside the tables ask for the rest."""


def cycles(marts: Marts, subject: Subject, kinds: pl.DataFrame) -> Section:
    """When in the day cycles settle, what finds them and how many banks they take."""
    by_tick, by_length = (
        questions.cycles_over_the_day(subject),
        questions.lengths_over_the_day(subject),
    )
    when, lengths = marts.ask(by_tick), marts.ask(by_length)
    stretch = wording.counted(subject.bin_ticks, "tick")
    return Section(
        "cycles",
        "Cycles over the day",
        (Markup("A cycle is a set of queued payments that settle at once, in full, all or none."),),
        (
            drawn(
                "When cycles settle, and what found them",
                lambda width: charts.cycles_over_the_day(when, subject, width),
                Markup("Each bar covers {} of the day. From the mart fct_lsm_cycles.").format(stretch),
                table("cycles_over_the_day", when, by_tick),
            ),
            drawn(
                "How many banks a cycle takes",
                lambda width: charts.lengths_over_the_day(lengths, subject, width),
                Markup("The stronger the colour, the more cycles. From the mart fct_lsm_cycles."),
                table("lengths_over_the_day", lengths, by_length),
            ),
            Listing(
                "All cycles by mechanism and type",
                table("cycle_kinds", kinds, questions.cycle_kinds(subject)),
                in_sum(subject, "fct_cycle_type_days"),
            ),
        ),
    )


def no_cycles(has_lsm: bool) -> Section:
    """Why nothing was netted."""
    why = (
        "Nothing that stood in Queue 2 could be netted: payments settled one by one, or waited."
        if has_lsm
        else "Every mechanism of the LSM is switched off in this arm."
    )
    return Section("cycles", "Cycles over the day", (Markup("No LSM cycle settled. {}").format(why),))


def gross_and_net(marts: Marts, subject: Subject, kinds: pl.DataFrame) -> Section:
    """What cycles settle, and the liquidity that moves in them."""
    asked = questions.cycle_lengths(subject)
    return Section(
        "gross-and-net",
        "Gross against net",
        (
            Markup(
                "Gross is the sum of a cycle's payments, net the liquidity that moves between its banks. The "
                "difference is liquidity that nobody had to find."
            ),
        ),
        (
            drawn(
                "What settles, and the liquidity that it takes",
                lambda width: charts.gross_against_net(kinds, subject, width),
                _drawn_of_sums(subject, "fct_cycle_type_days"),
                table("gross_against_net", kinds, questions.cycle_kinds(subject)),
            ),
            Listing(
                "The same by length",
                table("cycle_lengths", marts.ask(asked), asked),
                in_sum(subject, "fct_cycle_length_days"),
            ),
        ),
    )


def who_nets(marts: Marts, subject: Subject) -> Section:
    """Between which banks cycles settle, and what each gives and gets."""
    asked_agents, asked_pairs = (
        questions.agents(subject, _AGENTS_SHOWN_MAX),
        questions.netting_pairs(subject, _PAIRS_SHOWN_MAX),
    )
    agents, pairs = marts.ask(asked_agents), marts.ask(asked_pairs)
    there = marts.ask(questions.agents_in_cycles(subject)).row(0, named=True)
    shown, on_circle = _network(pairs)
    said = Markup("{} banks netted with each other, in {} pairs.").format(
        figure("count", there["agents"], "agents_in_cycles"), figure("count", there["pairs"], "pairs_in_cycles")
    )
    return Section(
        "who-nets",
        "Who nets with whom",
        (said,),
        (
            drawn(
                "The network of netting",
                lambda width: charts.network(shown, on_circle, subject, 440 if width == charts.WIDE else 320),
                Markup(
                    "A line is as wide as the value that settled in cycles between two banks, both ways together; the "
                    "widest stands for {} a day. {}{}"
                ).format(
                    figure("money", int(shown["gross_value"][0]) / subject.days),
                    f"Shown are {shown.height} of {there['pairs']:,} pairs: the largest that {len(on_circle)} banks "
                    "have among them. "
                    if there["pairs"] > shown.height
                    else "",
                    _drawn_of_sums(subject, "fct_lsm_cycle_transactions"),
                ),
                table("netting_pairs", pairs, asked_pairs),
                legend=tuple((str(place + 1), agent) for place, agent in enumerate(on_circle)),
            ),
            drawn(
                "What each bank gives and gets",
                lambda width: charts.gives_and_gets(agents, subject, width),
                Markup(
                    "To the left what a bank pays its cycles on balance, to the right what it pays in them out of what "
                    "they bring it. {}{}"
                ).format(
                    f"Shown are the {agents.height} largest of {there['agents']:,}. "
                    if there["agents"] > agents.height
                    else "",
                    _drawn_of_sums(subject, "fct_agent_lsm_days"),
                ),
                table("agents", agents, asked_agents),
            ),
        ),
    )


def _drawn_of_sums(subject: Subject, mart: str) -> Markup:
    """Where a drawn mean day comes from, and that the numbers beside it are sums."""
    sums = (
        f"Drawn is a mean day; the numbers are sums over {subject.days:,} simulated days. " if subject.days > 1 else ""
    )
    return Markup("{}From the mart {}.").format(sums, mart)


def _network(pairs: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The pairs that a circle has room for, the largest first, and their agents in the order in which they come up."""
    agents: dict[str, None] = {}
    kept = []
    for place, (agent, counterparty) in enumerate(pairs.select("agent", "counterparty").iter_rows()):
        both = {**agents, agent: None, counterparty: None}
        if len(both) <= charts.NETWORK_AGENTS_MAX:
            agents = both
            kept.append(place)
    return pairs[kept], sorted(agents)


def largest(marts: Marts, subject: Subject) -> Section:
    """The cycles that saved most, each drawn with its transactions."""
    asked = questions.largest_cycles(subject, _CYCLES_OF_EACH, _CYCLES_SHOWN_MAX)
    largest = marts.ask(asked)
    return Section(
        "largest",
        "The largest cycles",
        (
            Markup(
                "Those that saved most liquidity, some of each mechanism. Arrows are payments, figures beside a bank "
                "are its net position: what it receives less what it pays."
            ),
        ),
        (
            *(_cycle(marts, subject, row) for row in largest.iter_rows(named=True)),
            Listing(
                "These cycles in numbers",
                table("largest_cycles", largest, asked, tick="count"),
                Markup("From the mart fct_lsm_cycles, which has every cycle."),
            ),
        ),
    )


def _cycle(marts: Marts, subject: Subject, row: dict[str, Any]) -> Cycle:
    simulation_id, day, cycle_seq = row["simulation_id"], row["day"], row["cycle_seq"]
    key = (subject.run_id, simulation_id, day, cycle_seq)
    asked_members = questions.cycle_agents(*key, largest_first=row["cycle_length"] > NODES_MAX)
    asked_transactions = questions.cycle_transactions(*key)
    members, transactions = marts.ask(asked_members), marts.ask(asked_transactions)
    legs = (
        transactions.group_by("sender", "receiver", maintain_order=True)
        .agg(transactions=pl.len(), value=pl.col("amount").sum())
        .iter_rows()
    )
    drawing = draw_cycle([Member(*member) for member in members.iter_rows()], [Leg(*leg) for leg in legs])
    name = charts.KINDS[row["mechanism"], row["cycle_type"]][0]
    where = f"day {day}, tick {row['tick']}" + (f", seed {row['rng_seed']}" if subject.days > 1 else "")
    said = Markup("{} transactions between {} banks, {} gross on {} of liquidity.").format(
        figure("count", row["transaction_count"]),
        figure("count", row["cycle_length"]),
        figure("money", row["total_value"]),
        figure("money", row["settled_value"]),
    )
    identity = f"cycle-{simulation_id}-{day}-{cycle_seq}"
    return Cycle(
        Markup("{}: {}").format(name[0].upper() + name[1:], where),
        said,
        drawing,
        table(f"{identity}-agents", members, asked_members, most=_MEMBERS_SHOWN_MAX),
        table(f"{identity}-transactions", transactions, asked_transactions, most=_TRANSACTIONS_SHOWN_MAX),
        f"{simulation_id}, day {day}, cycle_seq {cycle_seq}",
    )
