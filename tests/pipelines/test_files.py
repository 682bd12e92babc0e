"""Files on a disk and at a URL obey the same laws, and so does the raw store on either, of one chunk or of several."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from pipelines import raw_store
from pipelines.contracts import CONTRACTS, schema_of
from pipelines.files import Disk, Place, files_at, is_staged, replace_file, staged_beside
from pipelines.raw_store import NewDay, NewPart, RawStore
from sim_engine import InputError, SystemState, run_day
from tests.helpers.settling import scenario_of
from tests.helpers.tables import frames_of_day, member_of

RUN = "told"
LINES = "bank A 0  bank B 0  pay A>B {amount}  pay B>A 5  pay A>B 7 @1  pay B>A 9 @2"
NAMES = ["told.base.s0", "told.base.s1", "told.base.s2"]

Rows = list[tuple[dict[str, pl.DataFrame], SystemState]]
"""A day of simulations, in their order: tables and closing state of each."""


def rows_of(*amounts: int, day: int = 0) -> Rows:
    """A day of one simulation for each amount, which its first payment is of."""
    rows = []
    for amount, name in zip(amounts, NAMES, strict=False):
        scenario = scenario_of(LINES.format(amount=amount), days=3)
        state = SystemState.opening(scenario)
        for _ in range(day + 1):
            record, state = run_day(scenario, state)
        frames = frames_of_day([(member_of(scenario), record)])
        rows.append(({table: frame.with_columns(simulation_id=pl.lit(name)) for table, frame in frames.items()}, state))
    assert len(rows) == len(amounts)
    return rows


def staged_day(store: RawStore, rows: Rows, sizes: list[int], day: int = 0) -> NewDay:
    """Stages a day in chunks of these sizes."""
    assert sum(sizes) == len(rows)
    attempts, first = [], 0
    for chunk, size in enumerate(sizes):
        part = NewPart(store, RUN, day, chunk)
        members = range(first, first + size)
        for table in CONTRACTS:
            part.stage(table, pl.concat([rows[member][0][table] for member in members]))
        part.stage_closing([(NAMES[member], rows[member][1]) for member in members])
        attempts.append(part.attempt)
        first += size
    return NewDay(store, RUN, day, attempts)


def write(store: RawStore, rows: Rows, sizes: list[int], day: int = 0) -> None:
    staged_day(store, rows, sizes, day).commit()


def is_stored(store: RawStore, rows: Rows, day: int = 0) -> bool:
    """Whether exactly these rows and states are read of a day."""
    states = [(name, state) for name, (_, state) in zip(NAMES, rows, strict=False)]
    tables = {table: pl.concat([frames[table] for frames, _ in rows]) for table in CONTRACTS}
    return list(store.read_closing(RUN, day).items()) == states and all(
        store.read_table(table, RUN, day).equals(tables[table]) for table in CONTRACTS
    )


def content_of(root: Place) -> dict[str, bytes]:
    files = files_at(root)
    places = list(files.listing(root))
    return dict(zip(places, files.read([root / place for place in places]), strict=True)) if places else {}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def memory() -> Place:
    """A place in the memory of this process, where nothing is."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return UPath("memory://bank/of", use_listings_cache=False)


@pytest.fixture(params=["disk", "memory"])
def root(request, tmp_path, memory) -> Place:
    return tmp_path / "data" if request.param == "disk" else memory


@pytest.fixture
def store(root) -> RawStore:
    return RawStore(root)


# Files


def test_files_that_are_there_are_listed_by_their_path_in_order(root):
    files = files_at(root)
    assert files.listing(root) == {}
    assert files.folders_in(root) == []
    for name, size in (("b/c/y", 2), ("a", 1), ("b/x", 0), ("ab/z", 3)):
        files.write(root / name, b"." * size)
    assert [(path, file.size) for path, file in files.listing(root).items()] == [
        ("a", 1), ("ab/z", 3), ("b/c/y", 2), ("b/x", 0),
    ]  # fmt: skip
    assert list(files.listing(root / "b")) == ["c/y", "x"]
    assert list(files.listing(root / "a")) in ([], ["a"], [""])
    assert files.folders_in(root) == ["ab", "b"]
    assert files.folders_in(root / "nowhere") == []


def test_files_are_read_in_the_order_asked_for_and_missing_ones_are_told(root):
    files = files_at(root)
    for name in ("x", "y", "z"):
        files.write(root / name, name.encode())
    assert files.read([root / "z", root / "x", root / "z"]) == [b"z", b"x", b"z"]
    assert files.read([root / "y"]) == [b"y"]
    for read in (files.read, files.scan):
        with pytest.raises(FileNotFoundError):
            read([root / "x", root / "none"])


def test_a_moved_file_takes_a_place_and_leaves_its_own(root):
    files = files_at(root)
    files.write(root / "place", b"old")
    before = files.listing(root)["place"]
    staged = staged_beside(root / "place", "one")
    assert is_staged(staged.name)
    assert not is_staged("place")
    files.write(staged, b"other")
    files.move([(staged, root / "place")])
    assert content_of(root) == {"place": b"other"}
    after = files.listing(root)["place"]
    assert after.stamp != before.stamp
    assert after.modified >= before.modified > 1_000_000_000
    files.move([])
    assert content_of(root) == {"place": b"other"}


def test_attempts_at_a_place_do_not_meet(root):
    places = {str(staged_beside(root / "part-0.parquet", attempt)) for attempt in ("", "a", "b")}
    assert len(places) == 3
    assert all(place.startswith(str(root / ".part-0.parquet")) for place in places)


def test_two_that_replace_a_file_at_once_do_not_meet(tmp_path, monkeypatch):
    """One has written its content and not moved it, when the other comes and goes."""
    target, move = tmp_path / "settings.yaml", Disk.move

    def come_between(self, moves):
        monkeypatch.setattr(Disk, "move", move)
        replace_file(target, b"other")
        move(self, moves)

    monkeypatch.setattr(Disk, "move", come_between)
    replace_file(target, b"one")
    assert target.read_bytes() == b"one"
    assert [file.name for file in tmp_path.iterdir()] == ["settings.yaml"]


def test_files_hold_the_same_only_if_all_are_there_with_one_content(root):
    files = files_at(root)
    for name, content in {"a": b"12", "b": b"12", "c": b"13", "d": b"123"}.items():
        files.write(root / name, content)
    same = [(root / "a", root / "b"), (root / "b", root / "a")]
    assert files.hold_same(same)
    for other in ("c", "d", "none"):
        assert not files.hold_same([*same, (root / "a", root / other)]), other
        assert not files.hold_same([(root / other, root / "a")]), other


def test_removing_is_of_what_is_named_and_of_nothing_else(root):
    files = files_at(root)
    for name in ("run_id=a/x", "run_id=a/y/z", "run_id=ab/x"):
        files.write(root / name, b"1")
    files.remove([root / "run_id=a/x", root / "none"])
    assert list(files.listing(root)) == ["run_id=a/y/z", "run_id=ab/x"]
    files.remove_tree(root / "run_id=a")
    files.remove_tree(root / "none")
    files.remove_empty(root / "run_id=ab")
    assert list(files.listing(root)) == ["run_id=ab/x"]
    files.remove([])
    assert files.folders_in(root) == ["run_id=ab"]


# The store


def test_what_was_written_is_read(store):
    rows = rows_of(5)
    write(store, rows, [1])
    assert is_stored(store, rows)
    assert store.days_stored(RUN) == [0]
    assert store.run_ids() == [RUN]
    assert store.fits_contracts(RUN)
    assert store.has_table("ticks", RUN)
    assert sorted(content_of(store.root)) == sorted(
        [f"raw/{table}/run_id=told/day=0000/part-0.parquet" for table in CONTRACTS]
        + ["state/run_id=told/day=0000/closing.jsonl"]
    )
    assert store.size_of(RUN) == sum(map(len, content_of(store.root).values()))


def test_a_url_holds_the_bytes_of_a_disk(memory, tmp_path):
    contents = []
    for root in (tmp_path / "data", memory):
        store = RawStore(root)
        store.prepare()
        write(store, rows_of(5, 6, 8), [1, 2])
        contents.append(content_of(root))
    assert len(contents[0]) == len(CONTRACTS) + 2 * (len(CONTRACTS) + 1)
    assert contents[0] == contents[1]


def test_prepare_makes_every_table_readable_and_changes_nothing_later(store):
    store.prepare()
    assert len(content_of(store.root)) == len(CONTRACTS)
    write(store, rows_of(5), [1])
    before = store.files.listing(store.root)
    store.prepare()
    assert store.files.listing(store.root) == before
    assert store.run_ids() == [RUN]


def test_a_day_that_is_not_stored_is_refused(store):
    write(store, rows_of(5), [1])
    with pytest.raises(InputError, match=r"day 2 of run told is not stored \(stored: 0\); run the days in order"):
        store.read_closing(RUN, 2)


def test_what_is_staged_is_not_there_for_readers_until_it_is_committed(store):
    rows = rows_of(5, 6, 8)
    new_day = staged_day(store, rows, [2, 1])
    assert len(content_of(store.root)) == 2 * (len(CONTRACTS) + 1)
    assert all(is_staged(place) for place in content_of(store.root))
    assert (store.days_stored(RUN), store.days_torn(RUN), store.chunks(RUN, 0)) == ([], [], 0)
    new_day.commit()
    assert is_stored(store, rows)
    assert len(content_of(store.root)) == 2 * (len(CONTRACTS) + 1)
    assert not any(is_staged(place) for place in content_of(store.root))


def test_clearing_what_is_staged_leaves_what_was_stored(store):
    write(store, rows_of(5, 6), [1, 1])
    before = content_of(store.root)
    staged_day(store, rows_of(8, 6), [1, 1])
    staged_day(store, rows_of(8, 6), [2], day=1)
    assert len(content_of(store.root)) > len(before)
    store.clear_staged(RUN)
    assert content_of(store.root) == before


def three_days(store: RawStore, sizes: list[int]) -> list[Rows]:
    days = [rows_of(6, 8, 9, day=day) for day in range(3)]
    for day, rows in enumerate(days):
        write(store, rows, sizes, day)
    return days


def test_another_closing_state_removes_later_days_that_do_not_follow_from_it(store):
    days = three_days(store, [2, 1])
    other = rows_of(6, 8, 11, day=1)
    write(store, other, [2, 1], 1)
    assert store.days_stored(RUN) == [0, 1]
    assert is_stored(store, days[0])
    assert is_stored(store, other, 1)
    assert not [place for place in content_of(store.root) if "day=0002" in place]


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_dropping_days_leaves_the_earlier_ones_and_other_runs(store, first):
    days = three_days(store, [1, 2])
    store.files.write(store.state_file("told_too", 0), b"")
    store.drop_days_from(RUN, first)
    assert store.days_stored(RUN) == [*range(first)]
    assert all(is_stored(store, days[day], day) for day in range(first))
    assert len(content_of(store.root)) == first * 2 * (len(CONTRACTS) + 1) + 1
    assert store.days_stored("told_too") == [0]


def test_a_removed_run_leaves_nothing_and_other_runs_alone(store):
    three_days(store, [3])
    store.files.write(store.state_file("told_too", 0), b"")
    store.remove_run(RUN)
    assert list(content_of(store.root)) == ["state/run_id=told_too/day=0000/closing.jsonl"]


def test_a_table_of_another_versions_columns_does_not_fit(store):
    write(store, rows_of(5), [1])
    store.files.write_table(store.part("ticks", RUN, 0), pl.DataFrame({"odd": [1]}))
    assert not store.fits_contracts(RUN)
    store.files.write(store.part("ticks", RUN, 0), b"no Parquet at all")
    assert not store.fits_contracts(RUN)


# Chunks


@pytest.mark.parametrize("sizes", [[3], [1, 2], [2, 1], [1, 1, 1]])
def test_a_day_reads_the_same_however_it_is_cut(store, sizes):
    rows = rows_of(5, 6, 8)
    write(store, rows, sizes)
    assert store.chunks(RUN, 0) == len(sizes)
    assert is_stored(store, rows)
    for table in CONTRACTS:
        whole = store.read_table(table, RUN, 0)
        assert whole.schema == schema_of(table)
        assert store.height(table, RUN, 0) == whole.height
        for head in (0, 1, 2, 100):
            assert store.read_head(table, RUN, 0, head).equals(whole.head(head))
    names = store.read_columns("arrivals", RUN, 0, ["simulation_id"])["simulation_id"]
    assert names.unique(maintain_order=True).to_list() == NAMES


def test_chunks_are_read_by_their_number_not_by_their_name(store, monkeypatch):
    """The tenth comes after the second, and its name before."""
    names = [f"told.base.s{seed}" for seed in range(12)]
    monkeypatch.setitem(globals(), "NAMES", names)
    write(store, rows_of(*range(1, 13)), [1] * 12)
    assert list(store.read_closing(RUN, 0)) == names
    assert store.read_table("simulations", RUN, 0)["simulation_id"].to_list() == names


@pytest.mark.parametrize(
    ("before", "after"), [([1, 1, 1], [3]), ([1, 1, 1], [2, 1]), ([3], [1, 1, 1]), ([2, 1], [1, 2])]
)
def test_another_cut_of_the_same_day_leaves_no_part_behind_and_later_days_as_they_are(store, before, after):
    days = three_days(store, before)
    write(store, days[1], after, 1)
    assert [store.chunks(RUN, day) for day in range(3)] == [len(before), len(after), len(before)]
    assert all(is_stored(store, rows, day) for day, rows in enumerate(days))
    assert len(content_of(store.root)) == (2 * len(before) + len(after)) * (len(CONTRACTS) + 1)
    assert store.is_whole(RUN)


def test_days_that_are_torn_are_cleared_with_all_their_chunks(store):
    days = three_days(store, [1, 1, 1])
    store.files.remove([store.state_file(RUN, 2)])
    assert store.days_stored(RUN) == [0, 1]
    assert store.days_torn(RUN) == [2]
    store.drop_uncommitted(RUN)
    assert store.days_torn(RUN) == []
    assert not [place for place in content_of(store.root) if "day=0002" in place]
    write(store, days[2], [3], 2)
    assert all(is_stored(store, rows, day) for day, rows in enumerate(days))


@pytest.mark.parametrize("missing", ["a part", "states"])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_a_run_that_lacks_a_file_of_any_chunk_is_not_whole(store, chunk, missing):
    three_days(store, [1, 1, 1])
    assert store.is_whole(RUN)
    gone = store.part("ticks", RUN, 1, chunk) if missing == "a part" else store.state_file(RUN, 1, chunk)
    store.files.remove([gone])
    uncommitted = missing == "states" and chunk == 0
    assert store.is_whole(RUN) == uncommitted, "a day without its mark is not there"
    assert store.days_torn(RUN) == ([1] if uncommitted else [])


# Crashes at a URL: every write, copy and removal fails in turn


class Crash(Exception):
    """The process dies here."""


STEPS = ("pipe_file", "cp_file", "rm_file", "_rm")
"""What changes something in memory."""


def crash_at(call: int, patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Lets the call-th change raise before it is done. Returns what tells how many were tried."""
    tried, under_way = 0, False

    def failing(step):
        def taken_or_not(*arguments, **options):
            nonlocal tried, under_way
            if under_way:  # one of these calls another
                return step(*arguments, **options)
            tried += 1
            if tried == call:
                raise Crash
            under_way = True
            try:
                return step(*arguments, **options)
            finally:
                under_way = False

        return taken_or_not

    for name in STEPS:
        patch.setattr(MemoryFileSystem, name, failing(getattr(MemoryFileSystem, name)))
    return lambda: tried


def crash_everywhere(root: Place, before: Callable, act: Callable, check: Callable) -> int:
    """Acts on a store that before has filled, crashing at each change in turn; check sees what each crash leaves."""
    store = RawStore(root)
    before(store)
    filled = content_of(root)
    crashes = 0
    while True:
        store.files.remove_tree(root)
        for place, content in filled.items():
            store.files.write(root / place, content)
        with pytest.MonkeyPatch.context() as patch:
            tried = crash_at(crashes + 1, patch)
            with contextlib.suppress(Crash, OSError):  # what a file system raises comes as an OSError
                act(store)
            if tried() <= crashes:
                return crashes
        check(store)
        crashes += 1


def seen_of(store: RawStore, day: int = 0) -> dict[str, bytes]:
    """What readers see of a day."""
    content = content_of(store.root)
    return {place: content[place] for place in content if f"day={day:04d}" in place and not is_staged(place)}


def as_written(root: Place, rows: Rows, sizes: list[int], day: int = 0) -> dict[str, bytes]:
    store = RawStore(root / "written")
    store.files.remove_tree(store.root)
    write(store, rows, sizes, day)
    content = seen_of(store, day)
    store.files.remove_tree(store.root)
    assert len(content) == len(sizes) * (len(CONTRACTS) + 1)
    return content


def recover(store: RawStore, rows: Rows, sizes: list[int], day: int = 0) -> None:
    """What the next launch does."""
    store.drop_uncommitted(RUN)
    store.clear_staged(RUN)
    write(store, rows, sizes, day)


OLD_CUT, NEW_CUT = [1, 1, 1], [2, 1]


@pytest.fixture
def few_tables(monkeypatch):
    """Three tables stand for all: what is written in which order does not depend on how many there are."""
    few = {table: CONTRACTS[table] for table in ("simulations", "arrivals", "ticks")}
    for module in (raw_store, sys.modules[__name__]):
        monkeypatch.setattr(module, "CONTRACTS", few)


def test_a_crash_in_a_first_write_at_a_url_leaves_the_day_uncommitted_or_new(memory, few_tables):
    rows = rows_of(5, 6, 8)
    new = as_written(memory, rows, OLD_CUT)
    seen = []

    def check(store):
        found = seen_of(store)
        assert found.items() <= new.items()
        committed = store.days_stored(RUN) == [0]
        assert committed == (found == new)
        seen.append(committed)
        recover(store, rows, OLD_CUT)
        assert content_of(store.root) == new

    crashes = crash_everywhere(memory, lambda store: None, lambda store: write(store, rows, OLD_CUT), check)
    assert crashes >= 3 * len(new)
    assert set(seen) == {False, True}


@pytest.mark.parametrize("amounts", [(5, 6, 8), (5, 6, 11)], ids=["the same states", "other states"])
def test_a_crash_in_a_replacement_at_a_url_leaves_the_day_old_or_new_or_uncommitted(memory, few_tables, amounts):
    rows_before, rows = rows_of(5, 6, 8), rows_of(*amounts)
    old, new = as_written(memory, rows_before, OLD_CUT), as_written(memory, rows, NEW_CUT)
    seen = []

    def check(store):
        found = seen_of(store)
        assert found.items() <= old.items() | new.items()
        told = "old" if found == old else "new" if found == new else "torn"
        seen.append(told if store.days_stored(RUN) == [0] else "uncommitted")
        recover(store, rows, NEW_CUT)
        assert content_of(store.root) == new

    crashes = crash_everywhere(
        memory, lambda store: write(store, rows_before, OLD_CUT), lambda store: write(store, rows, NEW_CUT), check
    )
    assert crashes >= 3 * len(new)
    assert set(seen) == {"old", "uncommitted", "new"}


def test_a_crash_while_writing_the_same_day_again_at_a_url_never_uncommits_it(memory, few_tables):
    rows = rows_of(5, 6, 8)
    old = as_written(memory, rows, OLD_CUT)

    def check(store):
        assert store.days_stored(RUN) == [0]
        assert seen_of(store) == old

    def again(store):
        write(store, rows, OLD_CUT)

    assert crash_everywhere(memory, again, again, check) >= 3 * len(old)


def test_a_crash_while_a_day_is_replaced_at_a_url_leaves_no_later_day_that_does_not_follow(memory, few_tables):
    days, other = [rows_of(6, 8, day=day) for day in range(3)], rows_of(6, 11, day=1)
    files = [as_written(memory, rows, [1, 1], day) for day, rows in enumerate(days)]
    replaced = as_written(memory, other, [1, 1], 1)
    allowed = [{0: files[0]}, {0: files[0], 1: replaced}, dict(enumerate(files[:2])), dict(enumerate(files))]
    seen = []

    def before(store):
        for day, rows in enumerate(days):
            write(store, rows, [1, 1], day)

    def check(store):
        seen.append(allowed.index({day: seen_of(store, day) for day in store.days_stored(RUN)}))

    crash_everywhere(memory, before, lambda store: write(store, other, [1, 1], 1), check)
    assert set(seen) == {0, 1, 2, 3}


def test_a_crash_while_a_run_is_removed_at_a_url_leaves_whole_days_from_the_first_on(memory, few_tables):
    days = [rows_of(6, 8, day=day) for day in range(3)]
    files = [as_written(memory, rows, [1, 1], day) for day, rows in enumerate(days)]
    seen = []

    def before(store):
        for day, rows in enumerate(days):
            write(store, rows, [1, 1], day)

    def check(store):
        committed = store.days_stored(RUN)
        assert [seen_of(store, day) for day in committed] == files[: len(committed)]
        seen.append(len(committed))
        store.remove_run(RUN)
        assert content_of(store.root) == {}

    crash_everywhere(memory, before, lambda store: store.remove_run(RUN), check)
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {0, 1, 2, 3}


def test_the_mark_is_moved_last(memory, monkeypatch):
    """By what is copied, in order: tables, later chunks' states, the first chunk's."""
    copied = []
    copy = MemoryFileSystem.cp_file

    def note(self, source, target, **options):
        copied.append(Path(target).name)
        return copy(self, source, target, **options)

    monkeypatch.setattr(MemoryFileSystem, "cp_file", note)
    write(RawStore(memory), rows_of(5, 6, 8), [1, 1, 1])
    assert len(copied) == 3 * (len(CONTRACTS) + 1)
    assert set(copied[:-3]) == {"part-0.parquet", "part-1.parquet", "part-2.parquet"}
    assert sorted(copied[-3:-1]) == ["closing-1.jsonl", "closing-2.jsonl"]
    assert copied[-1] == "closing.jsonl"
