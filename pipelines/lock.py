"""One at a time: who writes to a data folder, and whose launch from the command line Dagster carries out.

The locks are the system's, so that each goes with the process that holds it. Whoever takes more than one takes the
launch first, then what Dagster's pools give, then the data folder.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.files import replace_file

_ASKED_EVERY_SECONDS = 0.2

Told = Callable[[str], None] | None


@contextmanager
def data_lock(data_root: Path, doing: str, *, on_wait: Told = None) -> Iterator[None]:
    """Holds the data folder while something is written to it; waits while another holds it.

    doing: what whoever has to wait is told. on_wait: called once with a message, if there is somebody to wait for.
    A folder that is made for this and that nothing is written to is gone afterwards.
    """
    made = not data_root.exists()
    data_root.mkdir(parents=True, exist_ok=True)
    file = data_root / "writer.lock"
    with _held(file, doing, f"writes to {data_root}", on_wait):
        try:
            yield
        finally:
            if made and set(data_root.iterdir()) == {file, _holder_of(file)}:
                for nothing in (_holder_of(file), file):
                    nothing.unlink()
                with suppress(OSError):  # somebody else has begun to write to it
                    data_root.rmdir()


@contextmanager
def launch_lock(home: Path, doing: str, *, on_wait: Told = None) -> Iterator[None]:
    """Holds the right to launch from the command line into a Dagster instance; arguments as of data_lock."""
    with _held(home / "launch.lock", doing, f"was launched into {home} before", on_wait):
        yield


@contextmanager
def _held(file: Path, doing: str, said_of_holder: str, on_wait: Told) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if on_wait:
            on_wait(f"Waiting for {_named_holder(file)}, which {said_of_holder}; this goes on when it is done.")
        lock.acquire(poll_interval=_ASKED_EVERY_SECONDS)
    try:
        said = {"pid": os.getpid(), "doing": doing, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        replace_file(_holder_of(file), json.dumps(said).encode())
        yield
    finally:
        _holder_of(file).unlink(missing_ok=True)
        lock.release()


def _holder_of(file: Path) -> Path:
    """Where the holder of a lock says who it is."""
    return file.with_suffix(".json")


def _named_holder(file: Path) -> str:
    try:
        said = json.loads(_holder_of(file).read_text(encoding="utf-8"))
        return f"process {said['pid']} ({said['doing']}, since {said['since']})"
    except (OSError, ValueError):  # it has not said so yet
        return "another process"
