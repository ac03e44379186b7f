"""Runs the comparison and prints it as Markdown.

    python -m bench                 everything, some 15 minutes on two cores
    python -m bench --quick         the same with few images, for development: figures mean little
    python -m bench --only store    one part (store, find, retrieve, mixed, web, viewer, worklist)

The sides take turns within each round, so that a machine that others use too slows all of them; figures are
medians over the rounds. Compare within one run only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.peers import missing_tools

from bench.parts import Plan, find_part, mixed_part, retrieve_part, store_part, wanted
from bench.report import Report
from bench.sides import DURABILITY
from bench.viewer import viewer_part
from bench.web import web_part
from bench.worklist import worklist_part

PARTS = {
    "store": store_part,
    "find": find_part,
    "retrieve": retrieve_part,
    "mixed": mixed_part,
    "web": web_part,
    "viewer": viewer_part,
    "worklist": worklist_part,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Filmless beside its peers")
    parser.add_argument("--quick", action="store_true", help="few images, one round")
    parser.add_argument("--rounds", type=int, default=0, help="rounds per figure (3; quick: 1)")
    parser.add_argument("--images", type=int, default=0, help="CT slices sent per round (1000; quick: 96)")
    parser.add_argument(
        "--studies", type=int, default=0, help="studies in Filmless' index (100000; quick: 2000)"
    )
    parser.add_argument("--peer-studies", type=int, default=0, help="studies in Orthanc (5000; quick: 300)")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="only this part")
    parser.add_argument("--side", choices=sorted(DURABILITY), action="append", help="only this side")
    parser.add_argument("--work", type=Path, help="folder for stores (default: a temporary one; needs 3 GB)")
    parser.add_argument("--output", type=Path, help="write the Markdown here too")
    options = parser.parse_args()
    missing = missing_tools("storescu", "storescp", "movescu", "getscu", "Orthanc")
    if missing:
        print(
            f"The benchmark needs {', '.join(missing)}: install Debian's dcmtk and orthanc.", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="filmless-bench-", dir=options.work) as work:
        quick = options.quick
        plan = Plan(
            work=Path(work),
            rounds=options.rounds or (1 if quick else 3),
            images=options.images or (96 if quick else 1000),
            studies=options.studies or (2000 if quick else 100_000),
            peer_studies=options.peer_studies or (300 if quick else 5000),
            queries=60 if quick else 300,
            sides=tuple(name for name in DURABILITY if name in (options.side or DURABILITY)),
        )
        report = Report(plan.sides, quick=quick)
        for name in options.only or PARTS:
            PARTS[name](plan, report)
        text = report.markdown(wanted(plan, report))
    print(text)
    if options.output:
        options.output.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
