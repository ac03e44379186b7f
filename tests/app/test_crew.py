"""What each process has in memory: modules that would cost all of them many MB must not come in by a convenient import.

Not a measurement of memory, which differs from machine to machine: `make bench` has that (docs/performance.md).
"""

import json
import subprocess
import sys

import pytest

#: of the web alone
WEB = {"fastapi", "starlette", "pydantic", "pydantic_core", "uvicorn", "anyio", "opentelemetry"}
#: of codec processes, of the process that sets a report, of a migration, of an identity provider's answer
ASIDE = {
    "numpy", "pydicom", "highdicom", "imagecodecs", "PIL", "av", "typst", "alembic", "mako", "joserfc", "cryptography",
}  # fmt: skip
SERVER = "import filmless.app.serve, importlib; from filmless.app import crew\n"
SHARED = SERVER + "for one in crew.SHARED: importlib.import_module(one)\n"
LOADED = "import sys, json; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"


def loaded(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code + LOADED], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("code", "without"),
    [
        pytest.param(SERVER, WEB | ASIDE | {"dbos"}, id="the server by itself"),
        pytest.param(SHARED, WEB | ASIDE, id="what all are forked from"),
        pytest.param(SHARED + "import filmless.app.web\n", ASIDE, id="what several web processes are forked from"),
        pytest.param(
            SERVER + "import filmless.app.web\nfrom filmless.app.site import api, routers\napi(routers(None), {})\n",
            ASIDE | {"dbos"},
            id="the web with all its routes",
        ),
    ],
)  # fmt: skip
def test_heavy_modules_stay_where_they_are_needed(code: str, without: set[str]) -> None:
    found = loaded(code)
    assert "sqlalchemy" in found
    assert found & without == set()
