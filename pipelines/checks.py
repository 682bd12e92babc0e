"""The contract checks of the raw assets, and how a broken contract shows its failing rows."""

from collections.abc import Collection, Iterator, Mapping

import dagster as dg
import polars as pl
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

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
    instance: dg.DagsterInstance,
    heights: Mapping[str, Mapping[str, int]],
    broken: Mapping[tuple[str, str], ContractBroken],
    asked: Collection[str],
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the contracts say of days whose materialisations have been recorded, or that have been refused.

    heights: rows by table, by partition. broken: broken contracts by partition and table; their first failing rows
    become metadata. asked: partitions that this Dagster run was asked for; of days besides, those that another run is
    still to check are left to it.
    """
    awaited = _awaited(instance, [partition for partition in heights if partition not in asked])
    for partition, rows in heights.items():
        for table in CONTRACTS:
            if (partition, table) in awaited and (partition, table) not in broken:
                continue
            metadata: dict[str, dg.MetadataValue] = {"rows": dg.MetadataValue.int(rows[table])}
            contract = broken.get((partition, table))
            if contract:
                metadata["failing values"] = dg.MetadataValue.int(contract.cases.height)
                shown = contract.cases.head(_SHOWN_CASES_MAX)
                metadata["first failing rows"] = dg.MetadataValue.md(markdown_table(shown))
            yield dg.AssetCheckEvaluation(
                asset_key=raw_key(table),
                check_name=CONTRACT,
                passed=contract is None,
                partition=partition,
                blocking=True,
                metadata=metadata,
                target_materialization_data=_latest_materialisation(instance, table, partition),
            )


def _awaited(instance: dg.DagsterInstance, partitions: list[str]) -> set[tuple[str, str]]:
    """Partitions and tables whose check another Dagster run has planned and not yet evaluated.

    Dagster shows the evaluation that was planned last. One that nobody planned counts as planned when it is reported:
    it would hide what the run that waits is going to say.
    """
    if not partitions:
        return set()
    keys = {dg.AssetCheckKey(raw_key(table), CONTRACT): table for table in CONTRACTS}
    infos = instance.event_log_storage.get_asset_check_partition_info(list(keys), partition_keys=partitions)
    return {
        (str(info.partition_key), keys[info.check_key])
        for info in infos
        if info.latest_execution_status == AssetCheckExecutionRecordStatus.PLANNED
    }


def _latest_materialisation(
    instance: dg.DagsterInstance, table: str, partition: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """What an evaluation must name as its target: one that names an older materialisation, or none, is not shown."""
    of_partition = dg.AssetRecordsFilter(asset_key=raw_key(table), asset_partitions=[partition])
    for record in instance.fetch_materializations(of_partition, limit=1).records:
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.event_log_entry.run_id, timestamp=record.timestamp
        )
    return None


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
