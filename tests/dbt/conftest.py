import pytest

from tests.dbt.warehouse import Dbt, outcomes, store_runs


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dbt, dict[str, str]]:
    """What dbt built over all runs, with the outcome of every node."""
    folder = tmp_path_factory.mktemp("dbt")
    store_runs(folder)
    dbt = Dbt(folder)
    return dbt, outcomes(dbt("build"))
