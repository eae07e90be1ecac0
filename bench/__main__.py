"""`python -m bench`, as `make bench` runs it: see README.md."""

import argparse
import sys
import traceback

from . import peers, report, results, run
from .scenarios import SCENARIOS


def names(known):
    """The type of an argument that lists names with commas."""

    def parse(text):
        chosen = [name for name in text.split(",") if name]
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(known)}")
        return chosen

    return parse


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description="firn beside the floors that PostgreSQL itself sets.")
    parser.add_argument(
        "--only", type=names(SCENARIOS), default=list(SCENARIOS), metavar="NAME,…",
        help=f"scenarios: {', '.join(SCENARIOS)} (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=positive, default=5, help="how often what is compared takes turns; medians count (default: 5)"
    )  # fmt: skip
    parser.add_argument(
        "--scale-down", type=positive, default=1, metavar="N",
        help="divides rows and changes by N, to try the benchmark itself: results then go to build/bench/scaled-down",
    )  # fmt: skip
    parser.add_argument(
        "--peers", type=names(peers.PEERS), default=["duckdb", "duckdb-1"], metavar="NAME,…",
        help=f"who else copies in the same rounds: {', '.join(peers.PEERS)}; '' for nobody (default: duckdb,duckdb-1)",
    )  # fmt: skip
    arguments = parser.parse_args()
    failed = []
    with run.started(arguments.rounds, arguments.scale_down, arguments.peers) as bench:
        for name in arguments.only:
            print(name, flush=True)
            try:
                result = SCENARIOS[name](bench)
            except Exception:  # The others are measured all the same.
                traceback.print_exc()
                failed.append(name)
                continue
            path = results.write(name, result, arguments.scale_down)
            print(report.markdown([results.read(name, path.parent)]))
            print(f"written to {path}", flush=True)
            if arguments.scale_down == 1:
                report.update(SCENARIOS)
    if arguments.scale_down != 1:
        print(f"--scale-down {arguments.scale_down}: bench/results and bench/README.md are as they were")
    if failed:
        sys.exit(f"failed, and thus without new results: {', '.join(failed)}")


if __name__ == "__main__":
    main()
