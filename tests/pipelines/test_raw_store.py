"""The raw store replaces whole days, and no crash leaves a day that is neither old nor new."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipelines.contracts import CONTRACTS, schema_of
from pipelines.raw_store import NewDay, NewPart, RawStore
from sim_engine import InputError, SystemState, run_day
from tests.helpers.settling import scenario_of
from tests.helpers.tables import frames_of_day, member_of, write_day

RUN = "told"
NAME = "told.base.s0"
LINES = "bank A 0  bank B 0  pay A>B {amount}  pay B>A 5  pay A>B 7 @1  pay B>A 9 @2"

Content = tuple[dict[str, pl.DataFrame], SystemState]


def content_of(amount: int, day: int = 0) -> Content:
    """A day's tables and closing state."""
    scenario = scenario_of(LINES.format(amount=amount), days=3)
    state = SystemState.opening(scenario)
    for _ in range(day + 1):
        record, state = run_day(scenario, state)
    return frames_of_day([(member_of(scenario), record)]), state


def write(store: RawStore, content: Content, day: int = 0) -> None:
    frames, closing = content
    write_day(store, RUN, day, frames, [(NAME, closing)])


def stored(store: RawStore, day: int = 0) -> Content:
    frames = {table: store.read_table(table, RUN, day) for table in CONTRACTS}
    return frames, store.read_closing(RUN, day)[NAME]


def is_same(one: Content, other: Content) -> bool:
    return one[1] == other[1] and all(one[0][table].equals(other[0][table]) for table in CONTRACTS)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What is flushed when is asserted below; that the disk obeys takes most of these tests' time and is not ours."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path) -> RawStore:
    return RawStore(tmp_path / "data")


def files_of(store: RawStore) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


# What stands where


def test_a_day_is_one_part_per_table_and_one_state_file(store):
    write(store, content_of(5))
    assert files_of(store) == sorted(
        [f"raw/{table}/run_id=told/day=0000/part-0.parquet" for table in CONTRACTS]
        + ["state/run_id=told/day=0000/closing.jsonl"]
    )


def test_what_was_written_is_read(store):
    content = content_of(5)
    write(store, content)
    assert store.days_stored(RUN) == [0]
    assert is_same(stored(store), content)
    assert store.read_table("arrivals", RUN, 0).height == 2
    assert store.read_table("arrivals", RUN, 0).schema == schema_of("arrivals")


def test_a_tables_first_rows_and_their_number_are_read_alone(store):
    frames, closing = content_of(5)
    write(store, (frames, closing))
    for table in CONTRACTS:
        assert store.height(table, RUN, 0) == frames[table].height
        assert store.read_head(table, RUN, 0, 1).equals(frames[table].head(1))


def test_a_table_without_rows_gets_a_typed_file(store):
    frames, closing = content_of(5)
    assert frames["queue_snapshots"].height == 0
    write(store, (frames, closing))
    assert store.read_table("queue_snapshots", RUN, 0).schema == schema_of("queue_snapshots")


def test_prepare_makes_every_table_readable_and_changes_nothing_later(store):
    store.prepare()
    for table in CONTRACTS:
        every_part = pl.read_parquet(store.root / "raw" / table / "*" / "*" / "*.parquet", hive_partitioning=False)
        assert every_part.height == 0
        assert every_part.schema == schema_of(table)
    write(store, content_of(5))
    before = files_of(store)
    store.prepare()
    assert files_of(store) == before
    every_part = pl.read_parquet(store.root / "raw" / "arrivals" / "*" / "*" / "*.parquet", hive_partitioning=False)
    assert every_part.height == 2


def test_a_frame_too_few_is_our_mistake(store):
    frames, closing = content_of(5)
    with pytest.raises(AssertionError):
        write(store, ({table: frame for table, frame in frames.items() if table != "ticks"}, closing))
    assert store.days_stored(RUN) == []


def test_states_of_several_members_keep_their_names(store):
    frames, closing = content_of(6)
    other = dataclasses.replace(closing, balances=(3, 4))
    write_day(store, RUN, 0, frames, [("told.b.s1", closing), ("told.a.s1", other)])
    assert store.read_closing(RUN, 0) == {"told.b.s1": closing, "told.a.s1": other}


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x1c", '"', "\\", "é", "日"])
def test_any_transaction_name_survives_the_state_file(store, mark):
    """A name from a payments file may hold what some readers take for the end of a line."""
    frames, closing = content_of(6)
    assert len(closing.queued) == 2
    named = dataclasses.replace(closing, queued=(dataclasses.replace(closing.queued[0], id=f"a{mark}b"),))
    write(store, (frames, named))
    assert store.read_closing(RUN, 0) == {NAME: named}


def test_a_day_that_is_not_stored_is_refused(store):
    with pytest.raises(InputError, match="day 0 of run told is not stored \\(stored: none\\); run the days in order"):
        store.read_closing(RUN, 0)
    write(store, content_of(5))
    with pytest.raises(InputError, match="day 2 of run told is not stored \\(stored: 0\\)"):
        store.read_closing(RUN, 2)


# Replacing and dropping


def three_days(store: RawStore) -> list[Content]:
    days = [content_of(6, day) for day in range(3)]
    for day, content in enumerate(days):
        write(store, content, day)
    return days


def test_days_are_listed_in_order(store):
    for day in (2, 0, 1):
        write(store, content_of(6, day), day)
    assert store.days_stored(RUN) == [0, 1, 2]


def test_the_same_day_again_leaves_later_days(store):
    days = three_days(store)
    write(store, days[0], 0)
    assert store.days_stored(RUN) == [0, 1, 2]
    assert all(is_same(stored(store, day), content) for day, content in enumerate(days))


def test_another_closing_state_removes_later_days_that_do_not_follow_from_it(store):
    days = three_days(store)
    other = content_of(8, 1)
    assert other[1] != days[1][1]
    write(store, other, 1)
    assert store.days_stored(RUN) == [0, 1]
    assert is_same(stored(store, 0), days[0])
    assert is_same(stored(store, 1), other)
    assert not list(store.root.glob("raw/*/run_id=told/day=0002"))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_dropping_days_leaves_the_earlier_ones(store, first):
    days = three_days(store)
    store.drop_days_from(RUN, first)
    assert store.days_stored(RUN) == [*range(first)]
    assert all(is_same(stored(store, day), days[day]) for day in range(first))
    assert len(files_of(store)) == first * (len(CONTRACTS) + 1)


def test_dropping_days_leaves_other_runs(store):
    three_days(store)
    frames, closing = content_of(5)
    write_day(store, "other", 0, frames, [(NAME, closing)])
    store.drop_days_from(RUN, 0)
    assert store.days_stored("other") == [0]
    assert store.days_stored(RUN) == []


def test_dropping_what_is_not_there_does_nothing(store):
    store.drop_days_from(RUN, 0)
    assert store.days_stored(RUN) == []


def test_dropping_removes_what_a_crash_left_uncommitted(store):
    write(store, content_of(5))
    store.state_file(RUN, 0).unlink()
    store.drop_days_from(RUN, 0)
    assert files_of(store) == []


def test_what_cannot_be_removed_is_an_error_not_a_silence(store, monkeypatch):
    three_days(store)

    def refuse(*_args, **_kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError):
        store.drop_days_from(RUN, 1)


# Staged and not committed


def staged(store: RawStore, content: Content, day: int = 0) -> NewDay:
    part = NewPart(store, RUN, day)
    for table, frame in content[0].items():
        part.stage(table, frame)
    part.stage_closing([(NAME, content[1])])
    return NewDay(store, RUN, day, [part.attempt])


def test_what_is_staged_is_not_there_for_readers_until_it_is_committed(store):
    content = content_of(5)
    new_day = staged(store, content)
    assert len(files_of(store)) == len(CONTRACTS) + 1
    assert not [file for file in store.root.rglob("*.parquet") if not file.name.startswith(".")]
    assert store.days_stored(RUN) == []
    new_day.commit()
    assert is_same(stored(store), content)
    assert len(files_of(store)) == len(CONTRACTS) + 1


def test_clearing_what_a_first_day_has_staged_leaves_nothing_of_its_run(store):
    store.prepare()
    before = sorted(store.root.rglob("*"))
    staged(store, content_of(5))
    store.clear_staged(RUN)
    assert sorted(store.root.rglob("*")) == before


def test_clearing_what_is_staged_leaves_what_was_stored(store):
    days = three_days(store)
    before = sorted(store.root.rglob("*"))
    staged(store, content_of(8, 1), 1)
    staged(store, content_of(8, 2), 3)
    store.clear_staged(RUN)
    assert sorted(store.root.rglob("*")) == before
    assert all(is_same(stored(store, day), content) for day, content in enumerate(days))


# Crashes: every write, flush, replacement and removal fails in turn


class Crash(Exception):
    """The process dies here."""


STEPS: list[tuple[object, str]] = [
    (os, "replace"), (os, "fsync"), (os, "unlink"), (os, "rmdir"), (shutil, "rmtree"),
    (Path, "write_bytes"), (Path, "unlink"), (Path, "mkdir"), (pl.DataFrame, "write_parquet"),
]  # fmt: skip


def crash_at(call: int, patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Lets the call-th step of all those that touch the disk raise. Returns what tells how many steps were tried."""
    tried = 0

    def failing(step):
        def taken_or_not(*args, **kwargs):
            nonlocal tried
            tried += 1
            if tried == call:
                raise Crash
            return step(*args, **kwargs)

        return taken_or_not

    for owner, name in STEPS:
        patch.setattr(owner, name, failing(getattr(owner, name)))
    return lambda: tried


def half_written(self: Path, content: bytes) -> int:
    """A write that the crash cuts in the middle."""
    with self.open("wb") as file:
        file.write(content[: len(content) // 2])
    raise Crash


def crash_everywhere(folder: Path, before: Callable, act: Callable, check: Callable) -> int:
    """Runs act on a store that before has filled, crashing at each step in turn; check sees each store that is left.

    Returns how many crashes there were.
    """
    filled = folder / "filled"
    filled.mkdir()
    before(RawStore(filled))
    crashes = 0
    while True:
        store = RawStore(folder / f"crash-{crashes}")
        shutil.copytree(filled, store.root)
        with pytest.MonkeyPatch.context() as patch:
            tried = crash_at(crashes + 1, patch)
            with contextlib.suppress(Crash):
                act(store)
            if tried() <= crashes:
                return crashes
        check(store)
        crashes += 1


def files_of_day(store: RawStore, day: int = 0) -> dict[str, bytes]:
    """Content of what readers see of a day, by its place."""
    files = [path for path in store.root.glob(f"*/**/day={day:04d}/*") if not path.name.startswith(".")]
    return {str(path.relative_to(store.root)): path.read_bytes() for path in files}


def files_as_written(folder: Path, content: Content, day: int = 0) -> dict[str, bytes]:
    store = RawStore(folder / f"written-{len(list(folder.iterdir()))}")
    write(store, content, day)
    files = files_of_day(store, day)
    assert len(files) == len(CONTRACTS) + 1
    return files


OLD, NEW = content_of(5), content_of(8)
SAME_STATE = ({**OLD[0], "ticks": OLD[0]["ticks"].with_columns(arrivals=pl.col("arrivals") + 1)}, OLD[1])


def test_a_crash_in_a_first_write_leaves_the_day_uncommitted_or_new(tmp_path):
    """Also what a reader who knows no commit marks meets, such as dbt: every part is whole."""
    new = files_as_written(tmp_path, NEW)
    seen = []

    def check(store):
        found = files_of_day(store)
        assert found.items() <= new.items()
        committed = store.days_stored(RUN) == [0]
        assert committed == (found == new)
        seen.append(committed)
        write(store, NEW)
        assert files_of_day(store) == new

    crashes = crash_everywhere(tmp_path, lambda store: None, lambda store: write(store, NEW), check)
    assert crashes > 4 * len(CONTRACTS)
    assert set(seen) == {False, True}


@pytest.mark.parametrize("replacement", [NEW, SAME_STATE], ids=["other closing state", "same closing state"])
def test_a_crash_in_a_replacement_leaves_the_day_old_or_new_or_uncommitted(tmp_path, replacement):
    old, new = files_as_written(tmp_path, OLD), files_as_written(tmp_path, replacement)
    assert old != new
    seen = []

    def check(store):
        found = files_of_day(store)
        assert found.items() <= old.items() | new.items()
        committed = store.days_stored(RUN) == [0]
        told = "old" if found == old else "new" if found == new else "torn"
        seen.append(told if committed else "uncommitted")
        write(store, replacement)
        assert files_of_day(store) == new

    crashes = crash_everywhere(
        tmp_path, lambda store: write(store, OLD), lambda store: write(store, replacement), check
    )
    assert crashes > 4 * len(CONTRACTS)
    assert set(seen) == {"old", "uncommitted", "new"}


def test_a_crash_while_writing_the_same_day_again_never_uncommits_it(tmp_path):
    old = files_as_written(tmp_path, OLD)

    def check(store):
        assert store.days_stored(RUN) == [0]
        assert files_of_day(store) == old

    crashes = crash_everywhere(tmp_path, lambda store: write(store, OLD), lambda store: write(store, OLD), check)
    assert crashes > 4 * len(CONTRACTS)


def test_a_crash_while_a_day_is_replaced_leaves_no_later_day_that_does_not_follow(tmp_path):
    days, other = [content_of(6, day) for day in range(3)], content_of(8, 1)
    files = [files_as_written(tmp_path, content, day) for day, content in enumerate(days)]
    replaced = files_as_written(tmp_path, other, 1)
    allowed = [{0: files[0]}, {0: files[0], 1: replaced}, dict(enumerate(files[:2])), dict(enumerate(files))]
    seen = []

    def before(store):
        for day, content in enumerate(days):
            write(store, content, day)

    def check(store):
        seen.append(allowed.index({day: files_of_day(store, day) for day in store.days_stored(RUN)}))

    crashes = crash_everywhere(tmp_path, before, lambda store: write(store, other, 1), check)
    assert crashes > 4 * len(CONTRACTS)
    assert set(seen) == {0, 1, 2, 3}


def test_a_crash_while_dropping_leaves_whole_days_from_the_first_on(tmp_path):
    days = [content_of(6, day) for day in range(3)]
    files = [files_as_written(tmp_path, content, day) for day, content in enumerate(days)]
    seen = []

    def before(store):
        for day, content in enumerate(days):
            write(store, content, day)

    def check(store):
        committed = store.days_stored(RUN)
        assert [files_of_day(store, day) for day in committed] == files[: len(committed)]
        seen.append(committed)
        store.drop_days_from(RUN, 1)
        assert files_of_day(store) == files[0]
        assert len(files_of(store)) == len(files[0])

    assert crash_everywhere(tmp_path, before, lambda store: store.drop_days_from(RUN, 1), check) > len(CONTRACTS)
    assert [committed for place, committed in enumerate(seen) if committed not in seen[:place]] == [
        [0, 1, 2], [0, 1], [0],
    ]  # fmt: skip


def test_every_file_is_flushed_before_it_takes_its_place_and_its_folder_after(store, monkeypatch):
    """By inode: os.fsync sees descriptors, os.replace names."""
    events: list[tuple[str, int]] = []
    replace = os.replace

    def note_flush(descriptor):
        events.append(("flush", os.fstat(descriptor).st_ino))

    def note_replace(staged, target):
        events.append(("replace", os.stat(staged).st_ino))
        replace(staged, target)
        events.append(("replaced in", os.stat(Path(target).parent).st_ino))

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(os, "replace", note_replace)
    write(store, NEW)
    replaced = [place for place, (kind, _) in enumerate(events) if kind == "replace"]
    assert len(replaced) == len(CONTRACTS) + 1
    for place in replaced:
        assert ("flush", events[place][1]) in events[:place]
        assert events[place + 2] == ("flush", events[place + 1][1])
    first_replaced = replaced[0]
    folders = {path.stat().st_ino for path in [store.root, *store.root.rglob("*")] if path.is_dir()}
    folders -= {path.parent.stat().st_ino for path in store.root.rglob("*.*")}
    assert {("flush", folder) for folder in folders} <= set(events[:first_replaced])


def test_a_state_file_cut_in_the_middle_is_no_commit(store, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", half_written)
    with pytest.raises(Crash):
        write(store, NEW)
    assert store.days_stored(RUN) == []
    monkeypatch.undo()
    write(store, NEW)
    assert is_same(stored(store), NEW)


def test_a_part_cut_in_the_middle_is_never_read(store, monkeypatch):
    write(store, OLD)
    whole = pl.DataFrame.write_parquet

    def cut(frame, file, **options):
        whole(frame, file, **options)
        half_written(Path(file), Path(file).read_bytes())

    monkeypatch.setattr(pl.DataFrame, "write_parquet", cut)
    with pytest.raises(Crash):
        write(store, NEW)
    assert is_same(stored(store), OLD)


def test_a_state_of_another_shape_is_refused_with_what_to_do(tmp_path):
    store = RawStore(tmp_path)
    file = store.state_file("any_run", 0)
    file.parent.mkdir(parents=True)
    file.write_text(
        '{"simulation_id":"any_run.base.s0","state":{"queued":[],"balances":[],"posted_collateral":[],"odd":1}}\n'
    )
    with pytest.raises(
        InputError, match=r"not a stored system state.*another version wrote it, so run any_run again from day 0"
    ):
        store.read_closing("any_run", 0)
