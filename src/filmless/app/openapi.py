"""The description of our API as a file, without a server: the browser's client is generated from it.

python -m filmless.app.openapi FILE
"""

import json
import sys
from pathlib import Path

from filmless.app.site import api, routers


def describe() -> str:
    """OpenAPI 3.1 as JSON, in a form that differs only where the API does."""
    return json.dumps(api(routers(None), {}).openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    file = Path(arguments[0])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(describe(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
