"""Runs with their marts, for tests that ask them."""

import pytest

from tests.helpers.built_reports import Reports, built_reports


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Runs of every shape, with their pages."""
    return built_reports(tmp_path_factory)
