"""A page of a headless Chromium for each test, where there is a Chromium."""

from collections.abc import Iterator

import pytest

from tests.helpers.browser import INSTALL, Browser, Page, installed, launched
from tests.helpers.built_reports import Reports, built_reports


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser that all tests of a session share."""
    if installed() is None:
        pytest.skip(f"needs Chromium, which is not installed; to install it: {INSTALL}")
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1,400 x 900, in a profile of its own."""
    with browser.page() as page:
        page.resize(1400, 900)
        yield page


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Runs of every shape, with their pages."""
    return built_reports(tmp_path_factory)
