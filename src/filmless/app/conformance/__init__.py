"""The DICOM conformance statement (PS3.2), made from the tables that the program runs on.

    python -m filmless.app.conformance            print it
    python -m filmless.app.conformance --write    write docs/conformance/statement.md (run in the source folder)

A test compares the file with what is made here, so that the statement cannot say what the program does not do.
"""

from pathlib import Path

from filmless.app.conformance import audit, department, network, query, services, storage, web

FILE = Path("docs/conformance/statement.md")


def statement() -> str:
    """The whole statement as Markdown."""
    parts = (
        services.introduction(),
        services.overview(),
        services.associations(),
        storage.storage(),
        query.query(),
        query.retrieve(),
        services.other_services(),
        department.department(),
        network.network(),
        network.character_sets(),
        network.security(),
        audit.audit(),
        web.dicom_web(),
        storage.appendix(),
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"
