"""Writes the reference pages: `python -m pipelines.reference`."""

import json
import sys

from pipelines.dbt import manifest
from pipelines.files import replace_file
from pipelines.places import PROJECT_ROOT
from pipelines.reference.pages import pages


def main() -> None:
    """Writes each page whose text has changed, and says which."""
    for name, text in pages(json.loads(manifest().read_text(encoding="utf-8"))).items():
        file = PROJECT_ROOT / "docs" / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            replace_file(file, text.encode())
            sys.stdout.write(f"Wrote docs/{name}\n")


if __name__ == "__main__":
    main()
