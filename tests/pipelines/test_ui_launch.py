"""The same job launched from the Dagster UI and from the command line gives the same tables."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.partitions import range_tags
from pipelines.places import PROJECT_ROOT, warehouse_file

SCENARIO = PROJECT_ROOT / "scenarios" / "carried_over_night.yaml"
RUN_ID = "carried_over_night"
COMMAND = str(Path(sys.executable).with_name("payment-sim"))

LAUNCH = """
mutation Launch($tags: [ExecutionTag!]!) {
  launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "payment_sim", repositoryName: "__repository__", pipelineName: "everything"},
    executionMetadata: {tags: $tags}, mode: "default", runConfigData: {}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }
"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class Ui:
    """The Dagster UI, asked as its own pages ask it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]

    def wait_until_up(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ask("{ version }")
            except OSError:
                assert time.monotonic() < deadline, "the UI did not come up"
                time.sleep(0.5)
            else:
                return

    def wait_for(self, run_id: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while (status := self.ask(STATUS, id=run_id)["runOrError"]["status"]) not in ENDED:
            assert time.monotonic() < deadline, f"the run is still {status}"
            time.sleep(0.5)
        return str(status)


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PAYMENT_SIM_DATA": str(tmp_path / "by_ui")}
    with (tmp_path / "ui.log").open("w") as log:
        # A shell in the background ignores interrupts, and so would the UI started below it.
        process = subprocess.Popen(
            ["env", "--default-signal=INT", COMMAND, "ui", "--port", str(port)],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            ui = Ui(port)
            ui.wait_until_up(180)
            yield ui
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def content(data_root: Path) -> dict[str, list[Any]]:
    """Every mart of a warehouse, rows in order."""
    with duckdb.connect(str(warehouse_file(data_root)), read_only=True) as connection:
        tables = connection.sql("select table_name from duckdb_tables() order by all").fetchall()
        return {name: connection.sql(f'select * from "{name}" order by all').fetchall() for (name,) in tables}


def raw_bytes(data_root: Path) -> dict[str, bytes]:
    files = sorted([*(data_root / "raw").rglob("*.parquet"), *(data_root / "state").rglob("*.jsonl")])
    return {str(file.relative_to(data_root)): file.read_bytes() for file in files}


@pytest.mark.slow
def test_the_ui_and_the_command_line_make_the_same_tables(ui: Ui, tmp_path: Path) -> None:
    tags = [{"key": key, "value": value} for key, value in range_tags(RUN_ID, 2).items()]
    launched = ui.ask(LAUNCH, tags=tags)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    by_command_line = tmp_path / "by_command_line"
    subprocess.run(
        [COMMAND, "pipeline", str(SCENARIO), "--data", str(by_command_line)], check=True, capture_output=True
    )
    assert ui.wait_for(launched["run"]["runId"], 400) == "SUCCESS"

    by_ui = tmp_path / "by_ui"
    assert len(raw_bytes(by_ui)) == 10 + 2 * 10 + 2  # empty parts, parts of two days, two closing states
    assert raw_bytes(by_ui) == raw_bytes(by_command_line)
    marts = content(by_ui)
    assert len(marts) >= 8
    assert len(marts["fct_transactions"]) > 0
    assert marts == content(by_command_line)
