"""Print the statement, or write it where the repository has it."""

import sys
from collections.abc import Sequence

from filmless.app.conformance import FILE, statement


def main(arguments: Sequence[str]) -> int:
    """Print the statement, or with --write put it where the repository has it."""
    if list(arguments) == ["--write"]:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(statement(), "utf-8")
        print(f"written: {FILE}")
        return 0
    if arguments:
        print("usage: python -m filmless.app.conformance [--write]", file=sys.stderr)
        return 2
    print(statement(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
