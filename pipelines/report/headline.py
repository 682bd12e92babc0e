"""The sentences that a page opens with: what the run found, in the words of someone who settles payments."""

from typing import Any

import polars as pl
from markupsafe import Markup

from pipelines.report import questions, wording
from pipelines.report.marts import Marts
from pipelines.report.parts import figure
from pipelines.report.questions import Subject

_FOUND_BY = {
    "bilateral": "found by the bilateral search",
    "ring": "found by the ring search",
    "gridlock": "found by gridlock resolution",
    "entry_offset": "offset on entry",
}


def headline(marts: Marts, subject: Subject, has_lsm: bool, kinds: pl.DataFrame) -> tuple[Markup, ...]:
    """What settled; what the LSM did for it; what it saved beside no LSM; the cycle that saved most.

    kinds: what questions.cycle_kinds gives.
    """
    in_sum = marts.ask(questions.days_in_sum(subject)).row(0, named=True)
    sentences = [_settled(in_sum)]
    if kinds.height:
        sums = {name: sum(kinds[name].to_list()) for name in ("cycles", "gross_value", "net_value", "liquidity_saved")}
        sentences += [_netted(in_sum, sums), *_saved(marts, subject), _largest(marts, subject)]
    elif has_lsm:
        sentences.append(Markup("The LSM found nothing to settle."))
    else:
        sentences.append(Markup("The LSM is off."))
    return (*sentences, _trusted(marts, subject.run_id))


def _settled(in_sum: dict[str, Any]) -> Markup:
    days = in_sum["days"]
    unsettled = in_sum["unsettled_value"]
    left = (
        Markup(" {} is left unsettled at its end.").format(
            figure("money", _a_day(unsettled, days), "unsettled_value_a_day")
        )
        if unsettled
        else Markup(" Nothing is left unsettled.")
    )
    return (
        Markup("{} {} {} worth {} {}.").format(
            "On the day" if days == 1 else "On a mean day",
            figure("count", _a_day(in_sum["settled_count"], days), "settled_count_a_day"),
            "payment" if in_sum["settled_count"] == days else "payments",
            figure("money", _a_day(in_sum["settled_value"], days), "settled_value_a_day"),
            "settles" if in_sum["settled_count"] == days else "settle",
        )
        + left
    )


def _netted(in_sum: dict[str, Any], sums: dict[str, int]) -> Markup:
    days = in_sum["days"]
    return Markup(
        "The LSM settles {} of that value in {} {}: {} gross on {} of liquidity, which saves {} of what they would "
        "have taken."
    ).format(
        figure("share", in_sum["lsm_settled_value"] / in_sum["settled_value"], "lsm_value_share"),
        figure("count", _a_day(sums["cycles"], days), "cycles_a_day"),
        "cycle" if sums["cycles"] == days else "cycles",
        figure("money", _a_day(sums["gross_value"], days), "gross_value_a_day"),
        figure("money", _a_day(sums["net_value"], days), "net_value_a_day"),
        figure("share", sums["liquidity_saved"] / sums["gross_value"], "netting_ratio"),
    )


def _saved(marts: Marts, subject: Subject) -> list[Markup]:
    """What sets the arm apart from its twin without LSM; nothing without a twin."""
    rows = {row["metric"]: row for row in marts.ask(questions.savings(subject)).iter_rows(named=True)}
    delay = rows.get("delay_saved")
    if subject.twin_arm is None or delay is None or delay["mean"] is None:
        return []
    said = Markup("Beside the same payments without LSM, value settles {} ticks {}").format(
        figure("number", abs(delay["mean"]), "delay_saved"), "earlier" if delay["mean"] >= 0 else "later"
    ) + _how_sure(delay)
    extra = rows["extra_settled_value"]["mean"]
    if extra:
        said += Markup(", and {} {} of it by the end of a day").format(
            figure("money", abs(extra), "extra_settled_value"), "more" if extra > 0 else "less"
        )
    return [said + Markup(".")]


def _how_sure(delay: dict[str, Any]) -> Markup:
    """The interval of a delay that is saved; where it is lost, of how much."""
    seeds, low, high = wording.counted(delay["seeds"], "seed"), delay["ci95_low"], delay["ci95_high"]
    if low is None:
        return Markup(" ({}: no interval)").format(seeds)
    ends = [(low, "delay_saved_low"), (high, "delay_saved_high")]
    if delay["mean"] < 0:
        ends = [(-high, "delay_saved_high"), (-low, "delay_saved_low")]
    doubt = ", which {} cannot tell from none" if low <= 0 <= high else ", {}"
    return Markup(" (95 % interval {} to {}" + doubt + ")").format(
        *(figure("number", value, says) for value, says in ends), seeds
    )


def _largest(marts: Marts, subject: Subject) -> Markup:
    row = marts.ask(questions.largest_cycles(subject, 1, 1)).row(0, named=True)
    where = Markup("at tick {} on day {}").format(row["tick"], row["day"])
    if subject.days > 1:
        where += Markup(" (seed {})").format(row["rng_seed"])
    said = Markup(
        "The cycle that saved most: {} transactions between {} banks, {} gross on {} of liquidity, {}, {}"
    ).format(
        figure("count", row["transaction_count"], "largest_transactions"),
        figure("count", row["cycle_length"], "largest_banks"),
        figure("money", row["total_value"], "largest_gross"),
        figure("money", row["settled_value"], "largest_net"),
        where,
        _FOUND_BY[row["mechanism"]],
    )
    if subject.twin_arm:
        asked = questions.cycle_without_lsm(subject, row["simulation_id"], row["day"], row["cycle_seq"])
        twin = marts.ask(asked).row(0, named=True)
        said += _beside_the_twin(twin)
    return said + Markup(".")


def _beside_the_twin(twin: dict[str, Any]) -> Markup:
    """How a cycle's payments fare without LSM."""
    never, later = twin["never_settled"], twin["ticks_later"]
    if never == twin["transactions"]:
        return Markup("; without LSM none of them settles")
    ticks = figure("number", abs(later), "largest_ticks_earlier")
    if not never:
        return Markup(", {} ticks {} than without LSM").format(ticks, "earlier" if later >= 0 else "later")
    return Markup("; without LSM {} of them {} not settle, and the others {} ticks {}").format(
        figure("count", never, "largest_never_settled"),
        "does" if never == 1 else "do",
        ticks,
        "later" if later >= 0 else "earlier",
    )


def _trusted(marts: Marts, run_id: str) -> Markup:
    laws = marts.ask(questions.laws(run_id))
    broken = [row["test"] for row in laws.iter_rows(named=True) if row["status"] != "pass"]
    if not laws.height:
        return Markup("No law of settlement has been held against these tables.")
    if broken:
        return Markup("<strong>{} of {} laws of settlement do not hold: see Data quality.</strong>").format(
            figure("count", len(broken), "laws_broken"), figure("count", laws.height, "laws_tested")
        )
    return Markup("All {} laws of settlement hold on the tables behind this page.").format(
        figure("count", laws.height, "laws_tested")
    )


def _a_day(in_sum: int, days: int) -> int | float:
    """A mean day's part of a sum: a whole number where it is one."""
    return in_sum // days if in_sum % days == 0 else in_sum / days
