"""The fenced blocks of a Markdown page, and what each is for."""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.DOTALL | re.MULTILINE)
_SAVED_AS = re.compile(r"`([\w./]+\.(?:yaml|csv|py))`:$")

RUN = ("sh", "sql", "python")
"""Languages of blocks that are run; an output that directly follows one is what it prints."""

OUTPUT = ("text", "json")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    page: name of the page's file, from the root of the project. line: where the block begins, from 1. language: the
    first word behind the fence. saved_as: file that the line above names, where that ends with a file's name and a
    colon: whoever reads saves the block there. prints: the output block that directly follows, if this one is run.
    is_output: whether this block is such an output.
    """

    page: str
    line: int
    language: str
    text: str
    saved_as: str | None = None
    prints: "Block | None" = None
    is_output: bool = False

    @property
    def place(self) -> str:
        """Where the block is, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def first_line(self) -> str:
        """What the block begins with."""
        return self.text.strip().partition("\n")[0]


def blocks_of(file: Path, root: Path) -> list[Block]:
    """All fenced blocks of a page in their order."""
    content = file.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(content):
        between, end = content[end : match.start()], match.end()
        block = Block(
            page=str(file.relative_to(root)),
            line=content.count("\n", 0, match.start()) + 1,
            language=match["info"].split(" ")[0],
            text=re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
            saved_as=_saved_as(between),
        )
        if found and not between.strip() and found[-1].language in RUN and block.language in OUTPUT:
            block = Block(block.page, block.line, block.language, block.text, is_output=True)
            before = found.pop()
            found.append(Block(before.page, before.line, before.language, before.text, before.saved_as, block))
        found.append(block)
    return found


def _saved_as(prose: str) -> str | None:
    lines = prose.rstrip().splitlines()
    match = _SAVED_AS.search(lines[-1]) if lines and not prose.endswith("\n\n\n") else None
    return match[1] if match else None
