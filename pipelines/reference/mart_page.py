"""The page on the marts, as the dbt project's manifest states them: all that is said of them is the project's."""

from collections.abc import Mapping
from typing import Any

from pipelines.reference.markdown import code, link, page, table

_KEY_TEST, _VALUES_TEST = "unique_key", "accepted_values"


def mart_page(manifest: Mapping[str, Any]) -> str:
    """Every mart, column by column, and every law; manifest: as dbt writes it, parsed from JSON."""
    nodes = manifest["nodes"].values()
    tests = [node for node in nodes if node["resource_type"] == "test"]
    models = [node for node in nodes if node["resource_type"] == "model" and node["fqn"][1] == "marts"]
    marts = sorted(models, key=lambda mart: str(mart["name"]))
    laws = sorted((test for test in tests if not test.get("test_metadata")), key=lambda law: str(law["name"]))
    return page(
        "Mart reference",
        "The tables of `warehouse.duckdb` that answers are read from. Generated from the dbt project in "
        "`dbt_project/` by `make docs`; do not edit. Money is in minor units (cents); a rate, share or ratio is a "
        "number, not percent. "
        "The formulas, and what they may be read as, stand in [methods.md](methods.md), the raw tables below them in "
        "[table_reference.md](table_reference.md). Every row belongs to one run.",
        "\n".join(f"- {link(code(mart['name']))}: {_grain(mart)}" for mart in marts),
        *(_mart(mart, [test for test in tests if test.get("attached_node") == mart["unique_id"]]) for mart in marts),
        _laws(laws),
    )


def _grain(mart: Mapping[str, Any]) -> str:
    return str(mart["description"]).partition(". ")[0] + "."


def _mart(mart: Mapping[str, Any], tests: list[Mapping[str, Any]]) -> str:
    keys = [test["test_metadata"]["kwargs"]["columns"] for test in tests if _kind(test) == _KEY_TEST]
    values = {
        test["column_name"]: test["test_metadata"]["kwargs"]["values"] for test in tests if _kind(test) == _VALUES_TEST
    }
    read = sorted(name.split(".")[-1] for name in mart["depends_on"]["nodes"])
    key = f"Key: {', '.join(map(code, keys[0]))}. " if keys else ""
    made_from = f"Made from {', '.join(map(code, read))}." if read else ""
    rows = [_column(column, values.get(column["name"], [])) for column in mart["columns"].values()]
    return "\n\n".join(
        [
            f"## {code(mart['name'])}",
            " ".join(str(mart["description"]).split()),
            (key + made_from).strip(),
            table(("column", "type", "null", "unit", "meaning", "allowed"), rows),
        ]
    )


def _column(column: Mapping[str, Any], values: list[object]) -> tuple[str, ...]:
    required = any(constraint["type"] == "not_null" for constraint in column["constraints"])
    return (
        code(column["name"]),
        column["data_type"],
        "" if required else "yes",
        column["config"]["meta"].get("unit", ""),
        column["description"],
        ", ".join(code(str(value)) for value in values),
    )


def _kind(test: Mapping[str, Any]) -> str:
    return str((test.get("test_metadata") or {}).get("name", ""))


def _laws(laws: list[Mapping[str, Any]]) -> str:
    rows = [(code(law["name"]), " ".join(str(law["description"]).split())) for law in laws]
    text = (
        "What holds of every run, tested by each build over the rows of the runs that it builds. A build in which one "
        "of them fails stops, and names it."
    )
    return f"## Laws\n\n{text}\n\n{table(('law', 'what breaks it'), rows)}"
