"""A preset stands for the switches that docs/presets.md states, under what the scenario states itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim_engine import Scenario, SystemState, parse_scenario, run_days
from sim_engine.presets import PRESETS
from sim_engine.scenario import Lsm, Queue2
from tests.helpers.settling import Day

PAGE = (Path(__file__).parents[2] / "docs" / "presets.md").read_text(encoding="utf-8")

GENERAL = {"max_cycle_length", "max_passes", "max_cycles_per_tick", "selection"}
"""Switches of `lsm` on which systems do not differ: bounds of the work, and the rule for what is dropped first."""


def documented() -> dict[str, dict[str, object]]:
    """By preset, the value that the page's table gives each switch, as YAML reads it."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    first = rows.index(next(row for row in rows if row[0] == "switch" and len(row) > 2))
    last = next((place for place, row in enumerate(rows) if place > first and len(row) != len(rows[first])), len(rows))
    names = [name.strip("`") for name in rows[first][1:]]
    table: dict[str, dict[str, object]] = {name: {} for name in names}
    for switch, *values in rows[first + 2 : last]:
        for name, value in zip(names, values, strict=True):
            table[name][switch.strip("`")] = yaml.safe_load(value)
    return table


def scenario(preset: str | None, arrivals: str = "", banks: str = "A 0, B 0, C 0", **stated: Any) -> Scenario:
    """Payments such as "A>B 50, B>A 40 @1 urgent", in a day of 4 ticks unless a tick is named that is later."""
    agents = [
        {"id": name, "opening_balance": int(balance)} for name, balance in (bank.split() for bank in banks.split(", "))
    ]
    payments = []
    for place, line in enumerate(arrivals.split(", ") if arrivals else (), start=1):
        pair, amount, *rest = line.split()
        sender, receiver = pair.split(">")
        payment: dict[str, Any] = {"id": f"T{place}", "sender": sender, "receiver": receiver, "amount": int(amount)}
        payment["tick"] = next((int(word[1:]) for word in rest if word.startswith("@")), 0)
        payment["priority"] = "urgent" if "urgent" in rest else "normal"
        payments.append(payment)
    raw = {"name": "told", "ticks_per_day": 4, "agents": agents, "arrivals": payments} | stated
    return parse_scenario(raw if preset is None else raw | {"preset": preset}, source=Path("told.yaml"))


def day_of(*args: Any, **stated: Any) -> Day:
    told = scenario(*args, **stated)
    ((record, closing),) = run_days(told, SystemState.opening(told), 1)
    return Day(told, record, closing)


def told(day: Day) -> dict[str, str]:
    """By transaction that settled, how and when: "bilateral @1"."""
    words = [line.rsplit(" ", 1)[1] for line in day.settled]
    return dict(
        zip(
            day.settled_ids,
            [f"{word} @{tick}" for word, tick in zip(words, day.ticks_settled, strict=True)],
            strict=True,
        )
    )


def test_the_page_documents_every_preset():
    table = documented()
    assert list(table) == list(PRESETS) == ["plain_rtgs", "t2", "chaps", "rits", "lynx"]
    sections = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)
    assert sections == list(table)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_the_switches_that_its_page_states_and_no_others(preset):
    stated = {f"{key}.{switch}": value for key, held in PRESETS[preset].items() for switch, value in held.items()}
    assert stated == documented()[preset]
    in_force = scenario(preset).stated
    found = {f"queue2.{key}": value for key, value in in_force.queue2.model_dump().items()}
    found |= {f"lsm.{key}": value for key, value in in_force.lsm.model_dump().items() if key not in GENERAL}
    assert found == documented()[preset]
    assert {key: value for key, value in in_force.lsm if key in GENERAL} == {
        key: value for key, value in Lsm() if key in GENERAL
    }


def test_the_page_names_every_switch_there_is():
    switches = [f"queue2.{key}" for key in Queue2.model_fields]
    switches += [f"lsm.{key}" for key in Lsm.model_fields if key not in GENERAL]
    assert [sorted(stated) for stated in documented().values()] == [sorted(switches)] * len(PRESETS)


def test_without_a_preset_nothing_but_the_defaults_holds():
    assert scenario(None).stated.preset is None
    assert scenario(None).stated.lsm == Lsm()
    assert scenario(None).stated.queue2 == Queue2()


def test_what_the_file_states_goes_before_the_preset_switch_by_switch():
    stated = scenario("chaps", lsm={"every_ticks": 5, "max_passes": 3}, queue2={"discipline": "fifo"}).stated
    assert (stated.lsm.every_ticks, stated.lsm.max_passes, stated.lsm.ring) == (5, 3, False)
    assert (stated.queue2.discipline, stated.queue2.entry) == ("fifo", "settle_urgent")


def test_a_value_that_the_file_states_as_the_default_has_it_still_goes_before_the_preset():
    stated = scenario("rits", lsm={"bilateral_max_payments": None, "gridlock": True}).stated
    assert (stated.lsm.bilateral_max_payments, stated.lsm.gridlock, stated.lsm.ring) == (None, True, False)


def test_the_configuration_holds_the_preset_and_the_switches_in_force():
    config = json.loads(scenario("chaps", lsm={"every_ticks": 5}).config)
    assert config["preset"] == "chaps"
    assert config["queue2"] == {"discipline": "bypass", "entry": "settle_urgent"}
    assert (config["lsm"]["every_ticks"], config["lsm"]["ring"]) == (5, False)


def test_the_hash_tells_presets_apart_also_where_their_switches_are_the_same():
    hashes = {name: scenario(name).scenario_hash for name in PRESETS}
    written_out = scenario(None, **PRESETS["t2"])
    assert written_out.stated.lsm == scenario("t2").stated.lsm
    assert len({*hashes.values(), written_out.scenario_hash, scenario(None).scenario_hash}) == len(PRESETS) + 2


def test_reading_a_scenario_leaves_the_presets_as_they_are():
    before = json.dumps(PRESETS)
    raw = {"lsm": {"every_ticks": 5}, "queue2": {"discipline": "fifo"}}
    scenario("chaps", **raw)
    assert json.dumps(PRESETS) == before
    assert raw == {"lsm": {"every_ticks": 5}, "queue2": {"discipline": "fifo"}}


def test_plain_rtgs_leaves_a_pair_waiting_that_every_other_preset_settles():
    """A and B owe each other 100 and have nothing: only together can they pay, now or in the next matching cycle."""
    found = {name: told(day_of(name, "A>B 100, B>A 100")) for name in PRESETS}
    assert found == {
        "plain_rtgs": {},
        "t2": {"T1": "entry_offset @0", "T2": "entry_offset @0"},
        "chaps": {"T1": "bilateral @1", "T2": "bilateral @1"},
        "rits": {"T1": "bilateral @0", "T2": "bilateral @0"},
        "lynx": {"T1": "bilateral @0", "T2": "bilateral @0"},
    }


def test_plain_rtgs_settles_queued_payments_as_money_comes_in_past_those_that_cannot():
    """A has 50: its 80 waits, its 40 passes it; what B then pays, 75 of its 40 + 35, covers the 80: 50 - 40 + 75."""
    day = day_of("plain_rtgs", "A>B 80, A>B 40, B>A 75 @1", banks="A 50, B 35, C 0")
    assert told(day) == {"T2": "immediate @0", "T3": "immediate @1", "T1": "queue @1"}
    assert day.balances == {"A": 5, "B": 80, "C": 0}


def test_t2_offsets_on_entry_with_as_much_of_what_the_receiver_has_queued_as_is_covered_oldest_first():
    """A's 40 and 30 wait. B's 60 is more than its 30; with A's 40 it pays 20 net. A's 30 would leave A 10 short."""
    day = day_of("t2", "A>B 40, A>B 30, B>A 60 @1", banks="A 0, B 30, C 0")
    assert told(day) == {"T1": "entry_offset @1", "T3": "entry_offset @1"}
    assert day.steps == [0, 0]
    assert day.waits == {"T1": "liquidity", "T2": "liquidity", "T3": "liquidity"}
    assert day.balances == {"A": 20, "B": 10, "C": 0}


def test_chaps_settles_urgent_payments_at_once_and_the_others_in_the_next_matching_cycle():
    """A can cover both: the urgent one does not wait, the other one waits for the cycle at the end of tick 1."""
    day = day_of("chaps", "A>B 10, A>B 20 urgent, A>C 30 @2", banks="A 100, B 0, C 0")
    assert told(day) == {"T2": "immediate @0", "T1": "gridlock @1", "T3": "gridlock @3"}
    assert day.waits == {"T1": "entry_rule", "T2": None, "T3": "entry_rule"}


def test_rits_offsets_against_ten_payments_and_not_against_an_eleventh():
    """A owes B 110, B owes A eleven times 10: ten of them leave A 10 short, which it does not have, or has."""
    payments = "A>B 110, " + ", ".join(["B>A 10"] * 11)
    assert told(day_of("rits", payments)) == {}
    assert set(told(day_of("lynx", payments)).values()) == {"bilateral @0"}
    assert len(day_of("lynx", payments).settled) == 12
    short = day_of("rits", payments, banks="A 10, B 0, C 0")
    assert [line.split()[-1] for line in short.settled] == ["bilateral"] * 11 + ["queue"]
    assert short.balances == {"A": 10, "B": 0, "C": 0}


def test_lynx_resolves_gridlock_among_three_which_rits_does_not():
    """Each of three banks owes the next one 100 and has nothing: no pair offsets, the three together do."""
    found = {name: told(day_of(name, "A>B 100, B>C 100, C>A 100")) for name in PRESETS}
    together = {"T1": "gridlock @0", "T2": "gridlock @0", "T3": "gridlock @0"}
    later = {"T1": "gridlock @1", "T2": "gridlock @1", "T3": "gridlock @1"}
    assert found == {"plain_rtgs": {}, "t2": together, "chaps": later, "rits": {}, "lynx": together}
