"""The kernel as such: what keeps its compiled code current, what it takes, that only the day decides the outcome."""

import ast
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from benchmarks.workloads import WORKLOADS, scenario_mapping
from sim_engine import DayRecord, Scenario, SystemState, parse_scenario, run_day
from sim_engine.day import outstanding_in_day
from sim_engine.kernel import compiled
from sim_engine.kernel.compiled import run_day_in_place, sources_digest
from sim_engine.kernel.day import record_of_day, work_of_day
from sim_engine.kernel.jit import table_of
from sim_engine.kernel.layout import Work
from tests.helpers.drawing import busy_scenario
from tests.helpers.records import check_kernel_is_oracle, differences
from tests.helpers.settling import scenario_of

KERNEL = Path(compiled.__file__).parent


# What compiled code is kept by


@pytest.fixture
def copied_kernel(tmp_path, monkeypatch):
    """A copy of the kernel's sources, of which the digest is now taken."""
    copy = tmp_path / "sim_engine" / "kernel"
    shutil.copytree(KERNEL, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(KERNEL.parent / "vocabulary.py", copy.parent)
    monkeypatch.setattr(compiled, "__file__", str(copy / "compiled.py"))
    return copy


def digest_now() -> int:
    return sources_digest.__wrapped__()


def test_same_sources_elsewhere_have_the_same_digest(copied_kernel):
    assert digest_now() == sources_digest()


def test_digest_notices_a_change_of_any_source(copied_kernel):
    sources = sorted([*copied_kernel.rglob("*.py"), copied_kernel.parent / "vocabulary.py"])
    assert len(sources) >= 15
    digests = {digest_now()}
    for source in sources:
        source.write_text(source.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        digests.add(digest_now())
    assert len(digests) == len(sources) + 1


def test_digest_notices_a_new_source(copied_kernel):
    before = digest_now()
    (copied_kernel / "lsm" / "newest.py").write_text("# new\n", encoding="utf-8")
    assert digest_now() != before


def test_kernel_is_compiled_from_nothing_that_the_digest_leaves_out():
    plain_python = {KERNEL / "day.py", KERNEL / "behaviour.py"}
    compiled_sources = sorted({*KERNEL.rglob("*.py")} - plain_python)
    imported = {
        node.module
        for source in compiled_sources
        for statement in ast.parse(source.read_text(encoding="utf-8")).body
        if not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING")
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    ours = {module for module in imported if module.split(".")[0] in ("sim_engine", "pipelines", "tests")}
    assert len(ours) >= 10
    assert {module for module in ours if not module.startswith("sim_engine.kernel.")} == {"sim_engine.vocabulary"}


def test_code_that_was_compiled_from_other_sources_is_refused(monkeypatch):
    monkeypatch.setattr(compiled, "_run_plain_day", lambda table: sources_digest() - 1)
    with pytest.raises(AssertionError, match="other sources"):
        run_day_in_place(work_of(scenario_of("bank A 1 bank B 0 pay A>B 1")))


# What it takes


def work_of(scenario: Scenario, **options: bool) -> Work:
    """The arrays of a scenario's first day."""
    opening = SystemState.opening(scenario)
    return work_of_day(scenario, opening, outstanding_in_day(scenario, opening), **options)


def test_table_names_every_array_of_the_day():
    work = work_of(busy_scenario(0))
    words = table_of(work)
    assert words.dtype == np.uint64
    assert words[::2].tolist() == [array.ctypes.data if len(array) else 0 for array in work]
    assert words[1::2].tolist() == [len(array) for array in work]


@pytest.mark.parametrize("name", Work._fields)
def test_array_of_another_type_is_refused(name):
    work = work_of(busy_scenario(0))
    other = work._replace(**{name: np.zeros(len(getattr(work, name)), np.float32)})
    with pytest.raises(AssertionError, match=f"^{name} is float32"):
        table_of(other)


@pytest.mark.parametrize("name", ["rules", "agents", "slots", "pairs", "cycles"])
def test_record_of_another_layout_is_refused(name):
    work = work_of(busy_scenario(0))
    array = getattr(work, name)
    fields_reversed = np.dtype([(field, array.dtype[field]) for field in reversed(array.dtype.names)], align=True)
    with pytest.raises(AssertionError, match=f"^{name} is "):
        table_of(work._replace(**{name: np.zeros(len(array), fields_reversed)}))


@pytest.mark.parametrize("name", ["amounts", "agents", "settled_rows"])
@pytest.mark.parametrize(
    "laid_out",
    [
        lambda array: np.repeat(array, 2)[::2],
        lambda array: array.reshape(1, -1),
        lambda array: np.frombuffer(array.tobytes(), array.dtype),  # read-only
    ],
    ids=["every_other", "two_dimensions", "read_only"],
)
def test_array_that_is_not_one_writable_run_of_memory_is_refused(name, laid_out):
    work = work_of(busy_scenario(0))
    with pytest.raises(AssertionError, match=f"^{name} is not one run of memory"):
        table_of(work._replace(**{name: laid_out(getattr(work, name))}))


# Only the day decides


def w1(seed: int) -> Scenario:
    return parse_scenario(scenario_mapping(WORKLOADS["W1"], seed), source=Path("W1"))


def test_days_in_two_threads_are_those_of_one_after_the_other():
    scenarios = [w1(seed) for seed in (1, 2, 3, 4)] + [busy_scenario(seed) for seed in range(40)]
    alone = [run_day(scenario, SystemState.opening(scenario)) for scenario in scenarios]
    barrier = Barrier(2)

    def days_of_thread(order: int) -> list[tuple[DayRecord, SystemState]]:
        barrier.wait(timeout=60)
        return [run_day(scenario, SystemState.opening(scenario)) for scenario in scenarios[::order]]

    with ThreadPoolExecutor(2) as pool:
        forwards, backwards = pool.map(days_of_thread, (1, -1))
    assert len(forwards) == len(backwards) == len(alone) == 44
    for expected, one, other in zip(alone, forwards, backwards[::-1], strict=True):
        assert differences(one[0], expected[0]) == differences(other[0], expected[0]) == []
        assert one[1] == other[1] == expected[1]


def test_same_day_twice_is_the_same():
    scenario = w1(5)
    (one, one_closing), (other, other_closing) = (run_day(scenario, SystemState.opening(scenario)) for _ in range(2))
    assert differences(one, other) == []
    assert one_closing == other_closing


def test_other_rules_of_a_scenario_that_has_run_decide_anew_whether_its_days_are_plain():
    scenario = scenario_of("bank A 5 bank B 0 pay A>B 5")
    assert len(run_day(scenario, SystemState.opening(scenario))[0].settlements.ticks) == 1
    other = scenario.with_rules(queue2={"entry": "settle_urgent"}, lsm={"gridlock": False})
    assert (scenario.is_plain, other.is_plain) == (True, False)
    assert len(run_day(other, SystemState.opening(other))[0].settlements.ticks) == 0


def record_of(scenario: Scenario, work: Work) -> DayRecord:
    opening = SystemState.opening(scenario)
    run_day_in_place(work)
    record, _ = record_of_day(scenario, opening, outstanding_in_day(scenario, opening), work)
    return record


@pytest.mark.parametrize("seed", range(7))
def test_timing_its_phases_changes_nothing_of_a_day(seed):
    scenario = busy_scenario(seed)
    timed = work_of(scenario)
    timed.rules["is_timed"] = 1
    untimed = work_of(scenario)
    assert differences(record_of(scenario, timed), record_of(scenario, untimed)) == []
    assert set(untimed.phases[0].tolist()) == {0}


@pytest.mark.parametrize("seed", range(7))
def test_day_that_keeps_no_cycles_settles_the_same(seed):
    scenario = busy_scenario(seed)
    kept, counted = work_of(scenario), work_of(scenario, keeps_cycles=False)
    run_day_in_place(kept)
    run_day_in_place(counted)
    settled = kept.counts["settled"][0]
    assert settled == counted.counts["settled"][0] > 0
    assert kept.counts["cycles"] == counted.counts["cycles"]
    for name in (
        "settled_rows", "settled_mechanisms", "settled_ticks", "settled_entry_ticks", "settled_entry_seqs",
        "settled_wait_reasons",
    ):  # fmt: skip
        assert differences(getattr(kept, name)[:settled], getattr(counted, name)[:settled], name) == []
    runs = kept.counts["runs"][0]
    assert differences(kept.runs[:runs], counted.runs[:runs], "runs") == []
    assert differences(kept.tick_ends, counted.tick_ends, "tick_ends") == []
    for name in ("available", "low", "high", "lowest", "queued", "queued_max"):
        assert differences(kept.agents[name], counted.agents[name], name) == []


# Sizes at which something begins or ends


def ring_at_the_end_of_many(agents: int) -> Scenario:
    """Nobody has money; the last three agents owe each other the same amount around a ring."""
    names = [f"A{agent}" for agent in range(agents)]
    one, two, three = names[-3:]
    banks = "\n".join(f"bank {name} 0" for name in names)
    return scenario_of(f"{banks}\n pay {two}>{three} 5 pay {three}>{one} 5 pay {one}>{two} 5", lsm="ring")


@pytest.mark.parametrize("agents", [3, 63, 64, 65, 66, 67, 127, 128, 129, 130, 131, 192, 193])
def test_ring_at_the_end_of_any_number_of_agents_settles(agents):
    ((record, _),) = check_kernel_is_oracle(ring_at_the_end_of_many(agents))
    assert record.lsm_cycles.agents.tolist() == [agents - 3, agents - 2, agents - 1]
    assert record.lsm_cycles.transactions.tolist() == [2, 0, 1]
    assert record.lsm_cycles.total_values.tolist() == [15]


def test_ring_across_the_words_of_touched_agents_settles():
    banks = "\n".join(f"bank A{agent} 0" for agent in range(200))
    scenario = scenario_of(f"{banks}\n pay A199>A3 5 pay A3>A64 5 pay A64>A127 5 pay A127>A199 5", lsm="ring")
    ((record, _),) = check_kernel_is_oracle(scenario)
    assert record.lsm_cycles.agents.tolist() == [3, 64, 127, 199]


@pytest.mark.parametrize("agents", [2, 64, 65])
def test_day_without_payments_leaves_everything_as_it_was(agents):
    banks = "\n".join(f"bank A{agent} {agent} credit 3" for agent in range(agents))
    scenario = scenario_of(banks, ticks_per_day=3, days=2)
    days = check_kernel_is_oracle(scenario)
    assert len(days) == 2
    for record, closing in days:
        assert closing.balances == tuple(range(agents))
        assert len(record.settlements.transactions) == len(record.lsm_runs.ticks) == 0
        assert record.lsm_cycles.agent_offsets.tolist() == record.lsm_cycles.transaction_offsets.tolist() == [0]
        assert record.tick_ends.intraday_credit_used.tolist() == [0, 0, 0]


def test_day_in_which_nobody_has_credit_uses_none():
    scenario = scenario_of("bank A 5 bank B 0 pay A>B 5 pay B>A 3 @1 pay A>B 9 @1")
    ((record, closing),) = check_kernel_is_oracle(scenario)
    assert record.tick_ends.intraday_credit_used.tolist() == [0, 0]
    assert closing.balances == (3, 2)


def test_credit_used_is_what_balances_are_below_zero():
    scenario = scenario_of("bank A 5 credit 4 bank B 0 bank C 0 credit 9 pay A>B 8 pay C>B 2 pay B>C 1 @1")
    ((record, closing),) = check_kernel_is_oracle(scenario)
    assert record.tick_ends.intraday_credit_used.tolist() == [3 + 2, 3 + 1]
    assert closing.balances == (-3, 9, -1)


def test_every_column_of_a_record_has_memory_of_its_own_type():
    record, _ = run_day(w1(1), SystemState.opening(w1(1)))
    parts = [getattr(record, field.name) for field in fields(record) if field.name not in ("day", "transactions")]
    columns = [getattr(part, field.name) for part in parts for field in fields(part)]
    assert len(columns) == 9 + 11 + 15 + 5 + 7 + 7 + 6 + 5
    assert {column.dtype for column in columns} == {np.dtype(name) for name in ("int8", "int32", "int64")}
    assert all(column.flags.c_contiguous for column in columns)
