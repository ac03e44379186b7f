"""The conformance statement is the program's own tables."""

from pathlib import Path

from filmless.app import conformance
from filmless.archive.query.keys import KEYS
from filmless.dicom.sopclasses import SERVICES, STORAGE
from filmless.dicom.uids import TRANSFER_SYNTAXES


def test_the_statement_in_the_repository_is_the_one_made_now() -> None:
    file = Path(__file__).parents[2] / conformance.FILE
    made = conformance.statement()
    assert file.read_text("utf-8") == made, "run: python -m filmless.app.conformance --write"


def test_it_names_every_class_syntax_and_key() -> None:
    made = conformance.statement()
    for uid in (*STORAGE, *SERVICES, *TRANSFER_SYNTAXES):
        assert f"| {uid} |" in made, uid
    for key in KEYS.values():
        assert f"| {key.keyword} |" in made, key.keyword
