"""What a section of the benchmarks says, as Markdown that is printed and written alike."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A table with a heading; `says` is what was measured and how."""

    title: str
    says: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """The section as Markdown, its columns padded so that it also reads well in a terminal."""
        assert all(len(row) == len(self.columns) for row in self.rows), self.title
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        # Words to the left, numbers to the right: the first column names what the row is about.
        aligned = [
            [
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            for row in (self.columns, *self.rows)
        ]
        rule = [f"{'-' * (width - 1)}:" if place else "-" * width for place, width in enumerate(widths)]
        table = [aligned[0], rule, *aligned[1:]]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
        return f"## {self.title}\n\n{self.says}\n\n{lines}\n"


def page(environment: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page."""
    machine = "\n".join(f"- {line}" for line in environment)
    head = (
        "# How fast payment-sim is\n\n"
        "Written by `make bench`; nothing here is edited by hand. Numbers are medians where nothing else is said, in\n"
        "brackets the smallest and the largest measurement. The workloads are defined in `benchmarks/workloads.py`.\n\n"
        f"{machine}\n"
    )
    return "\n".join([head, *(section.text() for section in sections)])
