"""A reader who does everything that the pages tell, in their order, in a folder that looks like the project's."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import duckdb
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from tests.docs.blocks import Block, blocks_of
from tests.docs.reading import DOCS, DONE_IN_ORDER, is_done

WAREHOUSE = Path("data") / "warehouse.duckdb"
_EXIT_CODE = re.compile(r"#.*exit code (\d)")


@dataclass
class Reader:
    """Who reads: their folder, and the names that the Python blocks of a page have given values.

    printed: what each block printed that was run, by its place. read: pages that have been read.
    """

    folder: Path
    printed: dict[str, str] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    names: dict[str, dict[str, object]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Puts the files that the project comes with into the folder."""
        for name in ("scenarios", "runs"):
            shutil.copytree(PROJECT_ROOT / name, self.folder / name)

    def read_up_to(self, last: str) -> None:
        """Does what the pages tell, in their order, up to a page of docs/; what has been read is not read again."""
        for page in DONE_IN_ORDER[: DONE_IN_ORDER.index(last) + 1]:
            if page not in self.read:
                self.read.append(page)
                for block in blocks_of(DOCS / page, PROJECT_ROOT):
                    if is_done(block):
                        self.do(block)

    def do(self, block: Block) -> None:
        """Does what a block says: saves it, or runs it and keeps what it prints."""
        if block.saved_as:
            file = self.folder / block.saved_as
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        if block.language in _WAYS:
            with contextlib.chdir(self.folder), patch.dict(os.environ, {"COLUMNS": "80"}):
                os.environ.pop(DATA_VARIABLE, None)
                self.printed[block.place] = _WAYS[block.language](self, block).replace(f"{self.folder}/", "")


def _in_the_shell(_: Reader, block: Block) -> str:
    """Runs commands one after the other; the project's own in this process, which has imported what they need."""
    printed = []
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        stated = _EXIT_CODE.search(line)
        expected = int(stated[1]) if stated else 0
        if words[0] == ".venv/bin/payment-sim":
            result = CliRunner().invoke(main, words[1:])
            assert result.exit_code == expected, f"{block.place}: {line}\n{result.output}\n{result.exception!r}"
            printed.append(result.stdout if result.exit_code in (0, 1) else result.stderr)
        else:
            done = subprocess.run(line, shell=True, capture_output=True, text=True)
            assert done.returncode == expected, f"{block.place}: {line}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
    return "".join(printed)


def _in_the_warehouse(_: Reader, block: Block) -> str:
    """Asks each of some queries, which end with ';'."""
    with duckdb.connect(str(WAREHOUSE), read_only=True) as connection:
        return "".join(f"{connection.sql(query)}\n" for query in block.text.split(";\n") if _says_something(query))


def _says_something(query: str) -> bool:
    return any(line.strip() and not line.startswith("--") for line in query.splitlines())


def _in_python(reader: Reader, block: Block) -> str:
    names = reader.names.setdefault(block.page, {})
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, block.place, "exec"), names)
    return printed.getvalue()


_WAYS: dict[str, Callable[[Reader, Block], str]] = {
    "sh": _in_the_shell,
    "sql": _in_the_warehouse,
    "python": _in_python,
}

_MACHINE_SAYS = (
    (r"Done in \d+ s", "Done in … s"),
    (r"\b\d{4}-\d\d-\d\d\b", "…"),
    (r" +[\d.]+ [kMG]?B\b", " … B"),
    (r"about [\d.]+ (s|min|h)\b", "about …"),
    (r"Both rest on .*", "Both rest on …"),
)
"""What differs from one machine or moment to another, and what stands in its place when texts are compared."""


def comparable(text: str) -> list[str]:
    """The lines of a text without what a machine decides; blank ones and blanks at line ends are left out."""
    for pattern, instead in _MACHINE_SAYS:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether a text is what a page shows; there, `…` alone on a line stands for any number of lines."""
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line) + r"\n" for line in comparable(shown))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in comparable(printed))) is not None
