"""The right database and a mistyped home: nothing is written there, and nothing believed."""

from pathlib import Path

import pytest

from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.kit.errors import Refused
from tests import made, postgres
from tests.peers import Done, filmless_command, run


def test_a_mistyped_home_is_refused_by_all_that_write_destroy_or_judge(
    postgres_server: str, tmp_path: Path
) -> None:
    url, config = postgres.make_database(postgres_server, "store_elsewhere"), tmp_path / "filmless.toml"
    config.write_text(f'[database]\nurl = "{url}"\n\n[archive]\nminimum_free_bytes = 0\n', "utf-8")

    def call(*command: str | Path, home: str = "home", check: bool = True) -> Done:
        return run(*filmless_command(), *command, "--home", tmp_path / home, "--config", config, check=check)

    made.series(tmp_path / "in", 2)
    call("import", tmp_path / "in")
    ports = ("--bind", "127.0.0.1", "--dicom-port", "0", "--http-port", "0")
    for command in (("serve", *ports), ("import", tmp_path / "in"), ("purge", "--dry-run")):
        done = call(*command, home="hmoe", check=False)
        assert (done.status, "is empty, and not that of the index" in done.output) == (2, True), done.output
        assert str(tmp_path / "hmoe") in done.output and "/store_elsewhere" in done.output
    done = call("rebuild", "--yes", "--replace-index", home="hmoe", check=False)
    assert (done.status, "no objects in" in done.output) == (2, True), done.output
    assert (
        not list((tmp_path / "hmoe").rglob("*.dcm"))
        and not (tmp_path / "hmoe" / "store" / "store-id").exists()
    )
    # another installation's home
    other = load(tmp_path / "other", environment={})
    with open_index(other, create=True):
        pass
    with pytest.raises(Refused, match="not that of the index"), open_index(load(other.home, config)):
        pass
    assert "2 files, 2 objects" in call("check").output
    # the program alone knows every table: none is left out of a backup
    assert "2 instances" in call("backup", tmp_path / "backup").output
    postgres.drop_database(postgres_server, "store_elsewhere")
