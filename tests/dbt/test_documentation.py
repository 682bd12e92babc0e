"""What the project says of itself: everything is described, and of raw tables it says what their contracts say."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import polars as pl
import pytest
from dbt.contracts.graph.nodes import GenericTestNode, SingularTestNode

from pipelines.contracts import CONTRACTS, columns_of, grain_of
from tests.dbt.warehouse import Dbt

TYPE_NAMES = {
    pl.String(): "varchar",
    pl.Int64(): "bigint",
    pl.List(pl.String()): "varchar[]",
    pl.List(pl.Int64()): "bigint[]",
}
"""What DuckDB calls the types that contracts use."""

LAYERS = {"staging": "stg_raw__", "intermediate": "int_", "marts": ("dim_", "fct_")}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    result = Dbt(tmp_path_factory.mktemp("manifest"))("parse")
    assert result.success, result.exception
    return result.result


@pytest.fixture(scope="module")
def models(manifest: Any) -> list[Any]:
    found = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert len(found) >= 20
    return found


@pytest.fixture(scope="module")
def sources(manifest: Any) -> dict[str, Any]:
    found = {source.name: source for source in manifest.sources.values() if source.source_name == "raw"}
    assert set(found) == set(CONTRACTS)
    return found


def test_sources_say_what_their_contracts_say(sources: dict[str, Any]) -> None:
    for table, source in sources.items():
        assert source.description == grain_of(table)
        said = [
            (column.name, column.data_type, column.description, column.config.meta.get("unit", ""))
            for column in source.columns.values()
        ]
        stated = [
            (column.name, TYPE_NAMES[column.dtype], column.description, column.unit) for column in columns_of(table)
        ]
        from_folder = (
            [] if table == "simulations" else [("run_id", "varchar", "Run that the simulation belongs to", "")]
        )
        assert said == stated + from_folder, table


def test_every_raw_table_is_staged_column_by_column(sources: dict[str, Any], models: list[Any]) -> None:
    staged = {model.name: model for model in models if model.name.startswith("stg_raw__")}
    assert set(staged) == {f"stg_raw__{table}" for table in sources}
    renamed = {("settlements", "tick"): "settlement_tick"}
    for table, source in sources.items():
        expected = [renamed.get((table, column), column) for column in source.columns if column != "run_id"]
        assert list(staged[f"stg_raw__{table}"].columns) == ["run_id", *expected]


def test_every_model_and_column_is_described(models: list[Any]) -> None:
    undescribed = [model.name for model in models if not model.description.strip()]
    undescribed += [
        f"{model.name}.{column.name}"
        for model in models
        for column in model.columns.values()
        if not column.description.strip()
    ]
    assert undescribed == []


def test_every_model_states_its_grain_first_and_then_why_it_exists(models: list[Any]) -> None:
    for model in models:
        grain, _, purpose = model.description.partition(". ")
        assert grain.startswith("One row per "), model.name
        assert purpose, model.name


def test_every_model_is_named_after_its_layer(models: list[Any]) -> None:
    for model in models:
        assert model.name.startswith(LAYERS[model.fqn[1]]), model.name


def test_every_numeric_column_states_its_unit(models: list[Any]) -> None:
    unitless = {"queue", "queue_end"}  # the number is a name
    missing = [
        f"{model.name}.{column.name}"
        for model in models
        for column in _numeric(model)
        if column.name not in unitless and not column.config.meta.get("unit")
    ]
    assert missing == []


def test_a_columns_unit_is_the_same_in_every_model(models: list[Any]) -> None:
    units: dict[str, set[str]] = {}
    for model in models:
        for column in _numeric(model):
            units.setdefault(column.name, set()).add(column.config.meta.get("unit", ""))
    assert {name: said for name, said in units.items() if len(said) > 1} == {}


def test_every_mart_has_an_enforced_contract_a_key_and_a_unit_test(manifest: Any, models: list[Any]) -> None:
    marts = [model for model in models if model.fqn[1] == "marts"]
    assert len(marts) >= 8
    unit_tested = {unit_test.model for unit_test in manifest.unit_tests.values()}
    keyed = {
        node.attached_node
        for node in manifest.nodes.values()
        if isinstance(node, GenericTestNode) and node.test_metadata.name == "unique_key"
    }
    for mart in marts:
        assert mart.config.contract.enforced, mart.name
        assert mart.unique_id in keyed, mart.name
        assert mart.name in unit_tested, mart.name


def test_every_law_opens_with_what_breaks_it(manifest: Any) -> None:
    laws = [node for node in manifest.nodes.values() if isinstance(node, SingularTestNode)]
    assert len(laws) >= 50
    for law in laws:
        assert law.name.startswith("assert_")
        assert law.raw_code.startswith("-- Fails if "), law.name


def _numeric(model: Any) -> Iterator[Any]:
    return (
        column
        for column in model.columns.values()
        if (column.data_type or "").removesuffix("[]") in ("bigint", "double", "hugeint")
    )


def test_every_law_is_described_by_its_own_head(manifest: Any) -> None:
    laws = [node for node in manifest.nodes.values() if isinstance(node, SingularTestNode)]
    assert len(laws) >= 50
    for law in laws:
        head = takewhile(lambda line: line.startswith("--"), law.raw_code.splitlines())
        assert law.description == " ".join(line.removeprefix("--").strip() for line in head), law.name
