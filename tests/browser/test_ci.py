"""What a change is tested with gets a browser where it can, and goes on without one where it cannot."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.places import PROJECT_ROOT
from tests.helpers.browser import EXECUTABLES

NOTICE = "No Chromium here; installing it for the tests in tests/browser."
SKIPPED = "Chromium could not be installed; tests that need a browser will be skipped."

INSTALLS = 'case "$*" in *install*) printf "#!/bin/sh\\n" > "$BIN/chromium"; chmod +x "$BIN/chromium";; esac'
FAILS = "echo E: no such package >&2; exit 100"
ROOT, SOMEBODY = "echo 0", "echo 1000"


class Machine:
    """A machine that has these programs and what the script itself needs; `make` says what it is asked for."""

    def __init__(self, folder: Path, **programs: str) -> None:
        self.bin = folder / "bin"
        (folder / ".ci").mkdir()
        self.bin.mkdir()
        self.script = Path(shutil.copy(PROJECT_ROOT / ".ci" / "run", folder / ".ci" / "run"))
        for needed in ("bash", "sh", "dirname", "env", "chmod", "timeout", "true"):
            (self.bin / needed).symlink_to(shutil.which(needed) or "/nowhere")
        for name, does in {"make": "echo make $*", **programs}.items():
            self._add(name.replace("_", "-"), f"#!/bin/sh\n{does}\n")

    def _add(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def run(self) -> tuple[int, list[str]]:
        """The script's exit code and what it prints."""
        environment = {"PATH": str(self.bin), "BIN": str(self.bin)}
        done = subprocess.run(
            [self.script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("name", EXECUTABLES)
def test_a_browser_that_is_there_is_used(tmp_path: Path, name: str) -> None:
    machine = Machine(tmp_path, id=ROOT, apt_get=FAILS, **{name.replace("-", "_"): "true"})
    assert machine.run() == (0, ["make test"])


def test_root_installs_a_browser_before_the_tests(tmp_path: Path) -> None:
    assert Machine(tmp_path, id=ROOT, apt_get=INSTALLS).run() == (0, [NOTICE, "make test"])


def test_who_may_become_root_installs_a_browser(tmp_path: Path) -> None:
    sudo = 'shift; exec "$@"'
    assert Machine(tmp_path, id=SOMEBODY, sudo=sudo, apt_get=INSTALLS).run() == (0, [NOTICE, "make test"])


@pytest.mark.parametrize(
    "programs",
    [
        {"id": ROOT},
        {"id": ROOT, "apt_get": FAILS},
        {"id": ROOT, "apt_get": "true"},  # says that it has, and there is none
        {"id": SOMEBODY, "apt_get": INSTALLS},
        {"id": SOMEBODY, "apt_get": INSTALLS, "sudo": "echo a password is required >&2; exit 1"},
    ],
)
def test_without_a_browser_the_tests_run_all_the_same(tmp_path: Path, programs: dict[str, str]) -> None:
    assert Machine(tmp_path, **programs).run() == (0, [NOTICE, SKIPPED, "make test"])


def test_tests_that_fail_fail_the_change(tmp_path: Path) -> None:
    code, said = Machine(tmp_path, id=ROOT, apt_get=INSTALLS, make="echo make $*; exit 2").run()
    assert (code, said) == (2, [NOTICE, "make test"])
