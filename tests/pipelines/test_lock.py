"""One writer at a time: who comes second waits and is told for whom; whoever dies holds nothing any more."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.lock import data_lock

HOLDS = """
import sys, time
from pathlib import Path
from pipelines.lock import data_lock
with data_lock(Path(sys.argv[1]), "runs three_bank_ring"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    return root


def hold_in_another_process(data_root: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(data_root)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_writer_waits_and_is_told_for_whom(data_root: Path) -> None:
    holder = hold_in_another_process(data_root)
    told: list[str] = []
    happened: list[str] = []

    def second() -> None:
        with data_lock(data_root, "second", on_wait=told.append):
            happened.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive()
    assert happened == []
    assert len(told) == 1
    assert told[0].startswith(f"Waiting for process {holder.pid} (runs three_bank_ring, since 20")
    assert str(data_root) in told[0]
    os.kill(holder.pid, signal.SIGKILL)  # a process that dies lets go without a word
    holder.wait()
    waiting.join(10.0)
    assert happened == ["second"]


def test_whoever_is_alone_does_not_wait(data_root: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with data_lock(data_root, "alone", on_wait=told.append):
            assert (data_root / "writer.json").exists()
    assert told == []
    assert [file.name for file in data_root.iterdir()] == ["writer.lock"]


def test_an_error_inside_lets_go(data_root: Path) -> None:
    with pytest.raises(ZeroDivisionError), data_lock(data_root, "fails"):
        raise ZeroDivisionError
    told: list[str] = []
    with data_lock(data_root, "next", on_wait=told.append):
        pass
    assert told == []


def test_a_folder_that_nothing_was_written_to_is_gone_again(tmp_path: Path) -> None:
    with data_lock(tmp_path / "made" / "for_this", "nothing"):
        pass
    assert not (tmp_path / "made" / "for_this").exists()
    with data_lock(tmp_path / "kept", "something"):
        (tmp_path / "kept" / "written").touch()
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["writer.lock", "written"]
