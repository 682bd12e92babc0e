"""`make bench`: measures, prints, and writes docs/performance.md.

python -m benchmarks                          # everything, takes minutes
python -m benchmarks --quick                  # shows that it all runs; writes nothing
python -m benchmarks --only throughput start  # some sections; writes nothing
"""

import argparse
from pathlib import Path

from benchmarks import engine_sections, process_sections, scaling, store_sections
from benchmarks.behaviour import behaviour
from benchmarks.netting import netting
from benchmarks.report import page
from benchmarks.timing import QUICK, Effort, environment_lines
from pipelines.places import PROJECT_ROOT
from sim_engine.compilation import compile_engine

SECTIONS = {
    "throughput": engine_sections.throughput,
    "oracle": engine_sections.against_oracle,
    "netting": netting,
    "pssimpy": engine_sections.against_pssimpy,
    "phases": engine_sections.by_phase,
    "keeping": engine_sections.keeping_cycles,
    "growth": engine_sections.growth,
    "behaviour": behaviour,
    "stored": store_sections.end_to_end,
    "cycles": store_sections.hundred_cycles,
    "many": store_sections.many_simulations,
    "scaling": scaling.past_one_machine,
    "chunks": scaling.by_chunk_size,
    "memory": process_sections.memory,
    "start": process_sections.start,
}
"""By name, in the order of the page."""


def main() -> None:
    """Runs the sections and prints each as it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="smallest workload and fewest runs; writes nothing")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=f"of: {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, help="the page to write; default, if all is run: docs/performance.md")
    args = parser.parse_args()
    effort = QUICK if args.quick else Effort()
    out = args.out
    if out is None and not args.quick and not args.only:
        out = PROJECT_ROOT / "docs" / "performance.md"

    environment = environment_lines()
    print("\n".join(environment), end="\n\n", flush=True)
    compile_engine()
    sections = []
    for name in args.only or SECTIONS:
        section = SECTIONS[name](effort)
        print(section.text(), flush=True)
        sections.append(section)
    if out:
        out.write_text(page(environment, sections), encoding="utf-8")
        print(f"Written: {out.name}")


if __name__ == "__main__":
    main()
