"""Names of transactions, many at once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa


class TransactionIds(Sequence[str]):
    """Ids in order, an immutable sequence of texts that is held as one Arrow column: no Python text per transaction.

    arrow: the ids as a pyarrow.LargeStringArray without nulls. Equal to any sequence of the same ids.
    """

    __slots__ = ("arrow",)
    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none either

    arrow: Any

    def __init__(self, arrow: Any) -> None:
        assert arrow.type == pa.large_string() and arrow.null_count == 0, arrow.type
        self.arrow = arrow

    @classmethod
    def of(cls, ids: Iterable[str]) -> "TransactionIds":
        """The ids given one by one."""
        return cls(pa.array(list(ids), pa.large_string()))

    @classmethod
    def of_bytes(cls, starts: np.ndarray, content: np.ndarray) -> "TransactionIds":
        """The ids whose UTF-8 stands in `content` (uint8), id k at starts[k]:starts[k + 1] (int64); not copied."""
        buffers = pa.py_buffer(starts), pa.py_buffer(content)
        return cls(pa.LargeStringArray.from_buffers(len(starts) - 1, *buffers))

    def __len__(self) -> int:
        return len(self.arrow)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "TransactionIds": ...
    def __getitem__(self, place: int | slice) -> "str | TransactionIds":
        if isinstance(place, slice):
            return TransactionIds(self.arrow[place])
        text: str = self.arrow[place].as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrow.to_pylist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TransactionIds):
            return bool(self.arrow.equals(other.arrow))
        if isinstance(other, Sequence) and not isinstance(other, str):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"TransactionIds({len(self)}: {shown}{', …' if len(self) > 3 else ''})"

    def take(self, rows: np.ndarray) -> "TransactionIds":
        """The ids of these rows, in the order given."""
        return TransactionIds(self.arrow.take(pa.array(rows)))

    @staticmethod
    def concat(parts: Iterable["TransactionIds"]) -> "TransactionIds":
        """The ids of all parts, one part after the other; at least one part."""
        return TransactionIds(pa.concat_arrays([part.arrow for part in parts]))
