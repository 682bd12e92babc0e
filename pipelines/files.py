"""Files that are written beside their places and put there whole: on a disk, durably, or at a URL, as objects.

What is staged lies beside its place under a name that no reader looks at. On a disk it is flushed before it takes its
place, and the folder after, so that a loss of power leaves the old content or the new; objects are whole by themselves.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

Place: TypeAlias = Path
"""Where a file or folder is: a path of this machine, or one of universal_pathlib below a URL, which is used as such."""

_STAGED = ".staged"


@dataclass(frozen=True)
class File:
    """A file that is there.

    modified: seconds since 1970, UTC. stamp: another one, if the file has been replaced since. size: bytes.
    """

    size: int
    modified: float
    stamp: str


class Files(Protocol):
    """What the raw store asks of wherever its files are. Lists are in ascending order."""

    def listing(self, folder: Place) -> dict[str, File]:
        """Every file below a folder, by its path from there; nothing if there is no folder."""

    def folders_in(self, folder: Place) -> list[str]:
        """Names of the folders that lie in a folder."""

    def read(self, files: Sequence[Place]) -> list[bytes]:
        """Content of files. Raises FileNotFoundError if one is not there."""

    def scan(self, files: Sequence[Place]) -> pl.LazyFrame:
        """The rows of Parquet files, in the files' order. Raises FileNotFoundError if one is not there."""

    def schema(self, file: Place) -> dict[str, pl.DataType]:
        """The columns of a Parquet file; its rows are not read. Raises OSError or a PolarsError if it has none."""

    def height(self, files: Sequence[Place]) -> int:
        """How many rows Parquet files have; these are not read. Raises OSError or a PolarsError as schema does."""

    def write(self, file: Place, content: bytes) -> None:
        """Writes a file that is to be moved to its place later."""

    def write_table(self, file: Place, frame: pl.DataFrame) -> None:
        """Writes a Parquet file that is to be moved to its place later."""

    def move(self, moves: Sequence[tuple[Place, Place]]) -> None:
        """Puts files in the places of others, each whole; all of them have arrived when this returns."""

    def hold_same(self, pairs: Sequence[tuple[Place, Place]]) -> bool:
        """Whether the files of each pair are there and surely have the same content."""

    def remove(self, files: Sequence[Place]) -> None:
        """Removes files; those that are not there are passed over."""

    def remove_tree(self, folder: Place) -> None:
        """Removes a folder with all that is below it, if it is there."""

    def remove_empty(self, folder: Place) -> None:
        """Removes a folder unless something is in it."""


def staged_beside(place: Place, attempt: str = "") -> Place:
    """Where what is to take a place is written first. attempt: tells apart several that may be under way at once."""
    return place.with_name(f".{place.name}{attempt and '.'}{attempt}{_STAGED}")


def is_staged(path: str) -> bool:
    """Whether a file is one that has not taken its place."""
    return path.endswith(_STAGED)


def files_at(root: Place) -> Files:
    """How files below a place are worked with."""
    return Disk() if is_on_disk(root) else Objects(root)


def is_on_disk(place: Place) -> bool:
    """Whether a place is a path of this machine."""
    return isinstance(place, Path)


class Disk:
    """Files of this machine."""

    def listing(self, folder: Place) -> dict[str, File]:  # noqa: D102
        found = {}
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                with suppress(FileNotFoundError):  # whoever writes it has just moved it to its place
                    status = os.stat(path)
                    modified = status.st_mtime_ns
                    relative = Path(path).relative_to(folder).as_posix()
                    found[relative] = File(status.st_size, modified / 1e9, str(modified))
        return dict(sorted(found.items()))

    def folders_in(self, folder: Place) -> list[str]:  # noqa: D102
        return sorted(child.name for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []

    def read(self, files: Sequence[Place]) -> list[bytes]:  # noqa: D102
        return [file.read_bytes() for file in files]

    def scan(self, files: Sequence[Place]) -> pl.LazyFrame:  # noqa: D102
        for file in files:
            if not file.exists():
                raise FileNotFoundError(f"{file} is not there")
        return pl.scan_parquet(list(files), hive_partitioning=False)

    def schema(self, file: Place) -> dict[str, pl.DataType]:  # noqa: D102
        return dict(pl.read_parquet_schema(file))

    def height(self, files: Sequence[Place]) -> int:  # noqa: D102
        return int(self.scan(files).select(pl.len()).collect().item())

    def write(self, file: Place, content: bytes) -> None:  # noqa: D102
        _make_folder(file.parent)
        file.write_bytes(content)
        _flush(file)

    def write_table(self, file: Place, frame: pl.DataFrame) -> None:  # noqa: D102
        _make_folder(file.parent)
        frame.write_parquet(file, compression="zstd")
        _flush(file)

    def move(self, moves: Sequence[tuple[Place, Place]]) -> None:  # noqa: D102
        for folder, into_folder in groupby(moves, key=lambda move: move[1].parent):
            for staged, place in into_folder:
                os.replace(staged, place)
            _flush(folder)

    def hold_same(self, pairs: Sequence[tuple[Place, Place]]) -> bool:  # noqa: D102
        return all(one.exists() and other.exists() and one.read_bytes() == other.read_bytes() for one, other in pairs)

    def remove(self, files: Sequence[Place]) -> None:  # noqa: D102
        for file in files:
            if file.exists():
                file.unlink(missing_ok=True)
                _flush(file.parent)

    def remove_tree(self, folder: Place) -> None:  # noqa: D102
        if folder.exists():
            shutil.rmtree(folder)
            _flush(folder.parent)

    def remove_empty(self, folder: Place) -> None:  # noqa: D102
        with suppress(OSError):  # something else is in it, or it is not there
            folder.rmdir()


class Objects:
    """Files of a file system of fsspec, which puts each of them in its place whole. Folders come and go by themselves.

    root: a place in it. The file system must not remember listings, as others write to it too.
    """

    def __init__(self, root: Place) -> None:
        at_url: Any = root
        self._root, self._fs = root, at_url.fs

    def listing(self, folder: Place) -> dict[str, File]:  # noqa: D102
        found = {}
        for path, facts in self._facts_below(folder).items():
            modified = _modified(facts)
            found[path] = File(facts["size"], modified, f"{_content_tag(facts)} {modified}")
        return found

    def folders_in(self, folder: Place) -> list[str]:  # noqa: D102
        try:
            entries = self._asked("ls", _path(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory")

    def read(self, files: Sequence[Place]) -> list[bytes]:  # noqa: D102
        paths = [_path(file) for file in files]
        content = self._asked("cat", paths)
        return [content[path] for path in paths]

    def scan(self, files: Sequence[Place]) -> pl.LazyFrame:  # noqa: D102
        parts = [pl.scan_parquet(BytesIO(content), hive_partitioning=False) for content in self.read(files)]
        return pl.concat(parts)

    def schema(self, file: Place) -> dict[str, pl.DataType]:  # noqa: D102
        empty: Any = pl.from_arrow(self._footer(file).schema.to_arrow_schema().empty_table())
        return dict(empty.schema)

    def height(self, files: Sequence[Place]) -> int:  # noqa: D102
        return sum(self._footer(file).num_rows for file in files)

    def _footer(self, file: Place) -> pq.FileMetaData:
        """What stands at the end of a Parquet file: polars would read all of it."""
        with self._asked("open", _path(file), "rb") as opened:
            try:
                return pq.read_metadata(opened)
            except pa.ArrowInvalid as error:
                raise OSError(f"{file} is no Parquet file: {error}") from error

    def write(self, file: Place, content: bytes) -> None:  # noqa: D102
        self._asked("pipe_file", _path(file), content)

    def write_table(self, file: Place, frame: pl.DataFrame) -> None:  # noqa: D102
        buffer = BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        self.write(file, buffer.getvalue())

    def move(self, moves: Sequence[tuple[Place, Place]]) -> None:  # noqa: D102
        staged = [_path(source) for source, _ in moves]
        if staged:
            self._asked("copy", staged, [_path(place) for _, place in moves])
            self._asked("rm", staged)

    def hold_same(self, pairs: Sequence[tuple[Place, Place]]) -> bool:  # noqa: D102
        folders = {folder: self._facts_below(folder) for folder in {file.parent for pair in pairs for file in pair}}
        for one, other in pairs:
            facts = [folders[file.parent].get(file.name) for file in (one, other)]
            if None in facts or len({found["size"] for found in facts if found}) > 1:
                return False
            tags = {_content_tag(found) for found in facts if found}
            if len(tags) > 1 or (tags == {None} and len({*self.read([one, other])}) > 1):
                return False
        return True

    def remove(self, files: Sequence[Place]) -> None:  # noqa: D102
        present = [_path(file) for file in files if self._asked("exists", _path(file))]
        if present:
            self._asked("rm", present)

    def remove_tree(self, folder: Place) -> None:  # noqa: D102
        if files := self._asked("find", _path(folder)):
            self._asked("rm", files)

    def remove_empty(self, folder: Place) -> None:  # noqa: D102
        pass

    def _asked(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """What an operation of the file system gives; whatever it raises is an OSError, as of a disk."""
        try:
            return getattr(self._fs, operation)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # each file system has its own
            raise OSError(f"{self._root}: {' '.join(str(error).split()) or type(error).__name__}") from error

    def _facts_below(self, folder: Place) -> dict[str, dict[str, Any]]:
        """What the file system says of every file below a folder, by the file's path from there, ascending."""
        found = self._asked("find", _path(folder), detail=True)
        return {path.removeprefix(_path(folder)).lstrip("/"): found[path] for path in sorted(found)}


def _path(place: Place) -> str:
    """A place as its file system calls it."""
    at_url: Any = place
    return str(at_url.path).rstrip("/")


def replace_file(target: Path, content: bytes) -> None:
    """Puts content in a file's place atomically: a crash leaves the old content or the new.

    Processes may do so at once; the last one's content stays.
    """
    disk, staged = Disk(), staged_beside(target, uuid4().hex)
    try:
        disk.write(staged, content)
        disk.move([(staged, target)])
    finally:
        staged.unlink(missing_ok=True)


def remove_if_empty(folder: Place) -> None:
    """Removes a folder unless something is in it."""
    Disk().remove_empty(folder)


def _modified(facts: Mapping[str, Any]) -> float:
    """When an object was written, as its file system calls it: seconds since 1970."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        when = facts.get(key)
        if isinstance(when, datetime):
            return when.timestamp()
        if isinstance(when, int | float):
            return float(when)
        if isinstance(when, str):
            return datetime.fromisoformat(when).timestamp()
    return 0.0


def _content_tag(facts: Mapping[str, Any]) -> str | None:
    """What a store says of an object's content: the same for the same content; None if it says nothing."""
    tag = facts.get("ETag") or facts.get("etag")
    return None if tag is None else str(tag)


def _make_folder(folder: Place) -> None:
    """Makes a folder and those above it, each known to the one above also after a loss of power."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush(folder.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
