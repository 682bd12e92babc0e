"""Pieces of a Markdown page."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is escaped. Columns in which no row says anything are left out."""
    body = [list(row) for row in rows]
    kept = [place for place in range(len(head)) if place == 0 or any(row[place] for row in body)]
    lines = [[head[place] for place in kept], ["---"] * len(kept), *([row[place] for place in kept] for row in body)]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def code(text: str) -> str:
    """A text as it would be typed."""
    return f"`{text}`"


def link(heading: str, text: str | None = None) -> str:
    """A link to a heading of the same page; its text is the heading unless one is given."""
    return f"[{text or heading}](#{anchor(heading)})"


def anchor(heading: str) -> str:
    """What the address of a heading ends with: lower case, blanks as hyphens, of other signs only '_' and '-'."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page(title: str, *parts: str) -> str:
    """A page with its title and parts, each apart from the one before."""
    return "\n\n".join([f"# {title}", *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
