"""One reader for all tests of the pages: what they simulate and build, they simulate and build once."""

from pathlib import Path

import pytest

from tests.docs.reader import Reader


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader at the first page."""
    reader = Reader(Path(tmp_path_factory.mktemp("reader")))
    reader.prepare()
    return reader
