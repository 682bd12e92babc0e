"""The contract checks of the raw assets, and how a broken contract shows its failing rows."""

from collections.abc import Iterator, Mapping

import dagster as dg
import polars as pl

from pipelines.contracts import CONTRACTS, ContractBroken, columns_of
from pipelines.partitions import RUN_DAYS

CONTRACT = "contract"
_SHOWN_CASES_MAX = 10


def raw_key(table: str) -> dg.AssetKey:
    """The asset of a raw table; dbt's source of that name has the same key."""
    return dg.AssetKey(["raw", table])


def contract_checks() -> list[dg.AssetCheckSpec]:
    """One blocking check per raw table: that its rows keep the table's contract."""
    return [
        dg.AssetCheckSpec(
            CONTRACT,
            asset=raw_key(table),
            blocking=True,
            partitions_def=RUN_DAYS,
            description=f"Every row keeps the contract of raw.{table}: columns, types, values and row laws.",
        )
        for table in CONTRACTS
    ]


def contract_evaluations(
    partition: str, heights: Mapping[str, int], broken: Mapping[str, ContractBroken]
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the contracts say of a day's tables.

    heights: rows by table. broken: broken contracts by table; their first failing rows become metadata.
    """
    for table in CONTRACTS:
        metadata: dict[str, dg.MetadataValue] = {"rows": dg.MetadataValue.int(heights[table])}
        if table in broken:
            cases = broken[table].cases
            metadata["failing values"] = dg.MetadataValue.int(cases.height)
            metadata["first failing rows"] = dg.MetadataValue.md(markdown_table(cases.head(_SHOWN_CASES_MAX)))
        yield dg.AssetCheckEvaluation(
            asset_key=raw_key(table),
            check_name=CONTRACT,
            passed=table not in broken,
            partition=partition,
            blocking=True,
            metadata=metadata,
        )


def column_schema(table: str) -> dg.TableSchema:
    """A raw table's columns with their descriptions and units, as the catalogue of assets shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.dtype),
                description=f"{column.description} [{column.unit}]" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns_of(table)
        ]
    )


def markdown_table(frame: pl.DataFrame) -> str:
    """A small frame as a markdown table."""

    def line(cells: tuple[object, ...]) -> str:
        texts = ("" if cell is None else str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
        return "| " + " | ".join(texts) + " |"

    return "\n".join([line(tuple(frame.columns)), line(("---",) * frame.width), *(line(row) for row in frame.rows())])
