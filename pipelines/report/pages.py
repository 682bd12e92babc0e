"""The pages of a data folder, one for each run, beside the warehouse that they were made from."""

import hashlib
from functools import cache
from pathlib import Path

from pipelines.files import replace_file
from pipelines.places import report_file
from pipelines.report.page import made_from, page_of
from pipelines.stores import store_of
from pipelines.warehouse import Warehouse


class Pages:
    """Where the reports of a data folder lie; each is written whole, in place of the one before."""

    def __init__(self, data_root: Path) -> None:
        self._data_root = data_root
        self._warehouse = Warehouse(data_root)

    def write(self, run_id: str, arm: str | None = None, target: Path | None = None) -> Path:
        """Writes a run's page from the marts as they are, to its place or to another.

        A page says of itself if its marts are not those of the stored days. Raises as page_of does;
        nothing is written then.
        """
        file = target or report_file(self._data_root, run_id, arm)
        page = page_of(self._warehouse, run_id, arm, self._warning(run_id), self._source(run_id))
        replace_file(file, page.encode())
        return file

    def is_current(self, run_id: str) -> bool:
        """Whether a run's page is there and says what its marts say now."""
        file = report_file(self._data_root, run_id)
        return file.exists() and made_from(file) == self._source(run_id)

    def _source(self, run_id: str) -> str:
        """What a page depends on: the marts that its run was built into, and what makes pages of them."""
        return hashlib.sha256((self._warehouse.built_from(run_id) or b"") + _makers_digest()).hexdigest()

    def _warning(self, run_id: str) -> str | None:
        standing = self._warehouse.standing(run_id, store_of(self._data_root))
        if standing == "absent":
            return "The last build of these marts did not come to its end: see Data quality, and build them again."
        if standing == "out of date":
            return "These marts were built from other days than are stored now, or by other models: build them again."
        return None


@cache
def _makers_digest() -> bytes:
    """A digest of everything that pages are made by."""
    digest = hashlib.sha256()
    for file in sorted(path for path in Path(__file__).parent.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(file.read_bytes())
    return digest.digest()
