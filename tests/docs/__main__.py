"""Does what the pages tell and writes what was printed into them: `python -m tests.docs`, after a change of outputs."""

import sys
import tempfile
from pathlib import Path

from pipelines.places import PROJECT_ROOT
from tests.docs.blocks import blocks_of
from tests.docs.reader import Reader, is_as_shown
from tests.docs.reading import DOCS, DONE_IN_ORDER


def main() -> None:
    """Brings every shown output up to date; one that is shown in part, by `…`, and still holds stays."""
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder).resolve())
        reader.prepare()
        for name in DONE_IN_ORDER:
            reader.read_up_to(name)
            write_outputs(DOCS / name, reader)


def write_outputs(page: Path, reader: Reader) -> None:
    """Puts what was printed in the place of what a page shows, where that is something else."""
    content = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for block in reversed(blocks_of(page, PROJECT_ROOT)):
        printed = reader.printed.get(block.place)
        if printed is None or block.prints is None or is_as_shown(block.prints.text, printed):
            continue
        first = block.prints.line
        shown = [f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines()]
        content[first : first + len(block.prints.text.splitlines())] = shown
        sys.stdout.write(f"{block.prints.place} is brought up to date\n")
    page.write_text("".join(content), encoding="utf-8")


if __name__ == "__main__":
    main()
