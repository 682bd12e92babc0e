"""What all tests share: Hypothesis draws the same examples everywhere, and stories can be told in a banker's words."""

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.helpers.settling import settle_story

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("searching", settings.get_profile("steady"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files of slow tests, so that in the end no process has minutes left while others have nothing."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


ON_THE_SAME_WAREHOUSE = {f"tests/dbt/{name}.py" for name in ("test_build", "test_formulas", "test_laws")}
"""Files whose tests ask for `built`, which every process that runs one of them would build anew."""


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where each file goes to one process, gives those files to one process together."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FilesTogether(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "built" if file in ON_THE_SAME_WAREHOUSE else file

    return FilesTogether(config, log)


@pytest.fixture(autouse=True)
def no_dagster_instance_of_another_test():
    """Makes Dagster forget which instance it worked in.

    It remembers that in a variable, where instances that end in another order than they began leave one that is gone.
    """
    yield
    module = sys.modules.get("dagster._core.storage.defs_state.base")
    if module is not None:
        module._current_storage.set(None)


@pytest.fixture
def settle():
    """Runs banks and payments told in lines; see tests/helpers/settling.py."""
    return settle_story
