"""Finds the file that asks for a run, by the run's name, so that a partition key is enough to run it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.files import replace_file
from pipelines.runs import Run, load_run
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT
from sim_engine.yaml_file import read_yaml_mapping


@dataclass(frozen=True)
class Catalogue:
    """Runs by name: those launched from a file before, then those of the folders, in order.

    data_root: remembers where files outside the folders are. folders: hold run files and scenarios.
    """

    data_root: Path
    folders: tuple[Path, ...]

    def remember(self, run: Run) -> None:
        """Notes which file a run came from."""
        content = json.dumps({"run_id": run.run_id, "file": str(run.source.absolute())}) + "\n"
        replace_file(self._note(run.run_id), content.encode())

    def run_ids(self) -> list[str]:
        """Names of all runs that can be found, ascending."""
        noted = [note.stem for note in (self.data_root / "catalogue").glob("*.json")]
        return sorted({*noted, *self.files_by_run()})

    def files_by_run(self) -> dict[str, list[Path]]:
        """The files of the folders by the run that each asks for, in order; what cannot be read is passed over."""
        files: dict[str, list[Path]] = {}
        for file in self._files():
            if isinstance(name := _name_of(file), str):
                files.setdefault(name, []).append(file)
        return files

    def find(self, run_id: str) -> Run:
        """The run of that name. Raises InputError if no file asks for it, or if its file is wrong."""
        note = self._note(run_id)
        if note.exists():
            file = Path(json.loads(note.read_text(encoding="utf-8"))["file"])
            if file.exists():
                return self._checked(load_run(file), run_id)
        files = self.files_by_run().get(run_id, [])
        if len(files) > 1:
            raise InputError("partition", [name_is_shared(run_id, files)])
        if files:
            return load_run(files[0])
        searched = ", ".join(str(folder) for folder in self.folders)
        remedy = f"no file in {searched} has this run_id or scenario name; add one, or run: payment-sim pipeline FILE"
        raise InputError("partition", [Problem("run", run_id, remedy)])

    def _checked(self, run: Run, run_id: str) -> Run:
        if run.run_id == run_id:
            return run
        remedy = f"the file is now of run '{run.run_id}'; launch it again with: payment-sim pipeline FILE"
        raise InputError(run.source, [Problem("run_id", run_id, remedy)])

    def _note(self, run_id: str) -> Path:
        return self.data_root / "catalogue" / f"{run_id}.json"

    def _files(self) -> Iterator[Path]:
        for folder in self.folders:
            yield from sorted(folder.glob("*.yaml"))


def name_is_shared(run_id: str, files: list[Path]) -> Problem:
    """What is wrong with files that ask for a run of one name."""
    return Problem("run", run_id, f"{' and '.join(map(str, files))} both have this name; rename one")


def _name_of(file: Path) -> object:
    """The run that a file asks for; nothing if it cannot be read: that is said to whoever launches it."""
    try:
        raw = read_yaml_mapping(file)
    except InputError:
        return ABSENT
    return raw.get("run_id", raw.get("name"))
