"""Which pages are read in which order, and which of their blocks are not run or loaded here, with the reason."""

from pathlib import Path

from pipelines.places import PROJECT_ROOT
from tests.docs.blocks import RUN, Block, blocks_of

DOCS = PROJECT_ROOT / "docs"

DONE_IN_ORDER = ("concepts.md", "first_experiment.md", "methods.md", "operating.md", "specification.md")
"""Pages of docs/ whose commands are run, in the order of docs/README.md."""

NOT_RUN = {
    ("docs/concepts.md", "release policy                    sender has the liquidity"): "a drawing",
    ("docs/concepts.md", "A ───── 50,000 ────▶ B          each pays 50,000 and receives 50,000:"): "a drawing",
    ("docs/first_experiment.md", "make setup"): "installs; whoever runs this test has done it",
    ("docs/deployment.md", "python3 -m venv .venv"): "installs; whoever runs this test has done it",
    (
        "docs/deployment.md",
        "PAYMENT_SIM_DATA=/srv/payment-sim",
    ): "variables, held by tests/pipelines/test_deployment.py",
    ("docs/deployment.md", "chmod 600 deployment.env"): "changes the shell that it is given in",
    ("docs/deployment.md", "sudo -u postgres createuser --pwprompt dagster"): "asks for a password",
    ("docs/deployment.md", ".venv/bin/payment-sim home"): (
        "starts servers; tests/pipelines/test_deployment.py has each program read its options"
    ),
    ("docs/deployment.md", "POSTGRES_PASSWORD=PASSWORD"): "variables, held by tests/pipelines/test_deployment.py",
    (
        "docs/deployment.md",
        "docker compose --file docs/deployment/compose.yaml --env-file deployment.env up --build --detach",
    ): "needs Docker; tests/pipelines/test_deployment.py holds the file against the project",
    (
        "docs/deployment.md",
        ".venv/bin/dask scheduler --host 10.0.0.1 --port 8786 --dashboard-address 127.0.0.1:8787",
    ): "is for other machines; tests/pipelines/test_deployment.py has each program read its options",
    ("docs/deployment.md", "PAYMENT_SIM_DASK=tls://10.0.0.1:8786"): (
        "variables, held by tests/pipelines/test_deployment.py"
    ),
    ("docs/deployment.md", ".venv/bin/dagster instance migrate"): "needs a deployment that an upgrade has stopped",
    (
        "README.md",
        "scenarios/*.yaml   runs/*.yaml           what to simulate: banks, payments, rules; arms and seeds",
    ): ("a drawing"),
    ("README.md", "make run     # simulates a research day of 20 banks, builds the marts, prints what the LSM did"): (
        "runs these tests too; what the first of them prints is shown below it"
    ),
}
"""By page and first line, blocks that are neither run nor loaded by any test, and why."""

HELD_BY_TEST_README = {
    "research_day.base.s1: 1 simulation of 3 days, from scenarios/research_day.yaml": (
        "test_the_research_day_does_what_is_shown"
    ),
    ".venv/bin/payment-sim run --config scenarios/three_bank_ring.yaml --persist --db-path ring.duckdb": (
        "test_the_run_example_prints_what_is_shown"
    ),
    "Persisted 1 LSM cycles for day 0": "test_the_run_example_prints_what_is_shown",
    ".venv/bin/payment-sim cycles --run three_bank_ring --day 0": "test_the_run_example_prints_what_is_shown",
    "three_bank_ring.base.s42, day 0: 1 LSM cycle of 3 payments": "test_the_run_example_prints_what_is_shown",
    "from sim_engine import Simulation, load_scenario": "test_the_python_example_prints_what_is_shown",
    "ring ['BANK_A', 'BANK_B', 'BANK_C'] ['T1', 'T2', 'T3'] 150000 0": "test_the_python_example_prints_what_is_shown",
    ".venv/bin/payment-sim plan runs/nightly_research.yaml        # what would run, how many payments, about how long "
    "and how large": "test_the_experiment_ends_with_what_is_shown",
    "lsm_on, compared with lsm_off": "test_the_experiment_ends_with_what_is_shown",
    ".venv/bin/payment-sim report my_run                    # the page of a run again, or --arm another one in "
    "detail": "test_house_keeping_commands_are_run_in_the_first_experiment",
    "my_day.yaml: 5 problems": "test_mistakes_are_refused_as_is_shown",
}
"""By first line, blocks of README.md that a test of tests/test_readme.py runs or compares."""


def pages() -> list[Path]:
    """README.md and every page of docs/, in the order of their names; decisions show no commands."""
    return [PROJECT_ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def all_blocks() -> list[Block]:
    """Every fenced block of those pages."""
    return [block for page in pages() for block in blocks_of(page, PROJECT_ROOT)]


def is_left_out(block: Block) -> bool:
    """Whether a block is listed as not run, or as held elsewhere."""
    if block.page == "README.md" and block.first_line in HELD_BY_TEST_README:
        return True
    return (block.page, block.first_line) in NOT_RUN


def is_done(block: Block) -> bool:
    """Whether the reader does what a block says."""
    return not is_left_out(block) and (block.language in RUN or block.saved_as is not None)
