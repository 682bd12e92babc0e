"""Every generated page by the name of its file."""

from collections.abc import Mapping
from typing import Any

from pipelines.reference.file_pages import run_page, scenario_page
from pipelines.reference.mart_page import mart_page
from pipelines.reference.table_page import table_page


def pages(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The pages of docs/ that are generated; manifest: of the dbt project, parsed from JSON."""
    return {
        "scenario_reference.md": scenario_page(),
        "run_reference.md": run_page(),
        "table_reference.md": table_page(),
        "mart_reference.md": mart_page(manifest),
    }
