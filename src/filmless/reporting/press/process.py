"""The process that sets a report, started by press/service.py and never imported by it.

    python -m filmless.reporting.press.process < task.json

One task as JSON on standard input, the answer as JSON on standard output, the files in the folder that the task names.
"""

import json
import os
import resource
import shutil
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filmless.reporting.press import fonts

#: MiB that the process may have of its own
_MEMORY = 1024
_HERE = Path(__file__).parent


def set_report(task: dict[str, Any]) -> dict[str, Any]:
    """Write FOLDER/report.pdf of `data` (press/layout.py). Returns {"missing": characters that no font has}."""
    import typst

    folder = Path(task["folder"])
    data: dict[str, Any] = task["data"]
    lacking = fonts.missing(_texts(data))
    if lacking:
        data = _replaced(data, lacking)
        data["remarks"] = [*data["remarks"], data["missing_words"]]
    if data["qr"]:
        import segno

        segno.make(data["qr"], error="m").save(str(folder / "qr.svg"), border=0, xmldecl=False, svgns=True)
        data["qr"] = "qr.svg"
    have = fonts.installed()
    data["fonts"] = list(fonts.FAMILIES)
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(_HERE / "report.typ", folder / "report.typ")
    found = typst.Fonts(
        include_system_fonts=not have,
        include_embedded_fonts=True,
        font_paths=[str(fonts.FOLDER)] if have else [],
    )
    compiler = typst.Compiler(str(folder / "report.typ"), root=str(folder), font_paths=found)
    moment = datetime.fromisoformat(task["at"]).replace(microsecond=0)
    standards: list[Any] = ["a-2b"] if have else []
    try:
        compiler.compile(
            output=str(folder / "report.pdf"), format="pdf", pdf_standards=standards, timestamp=moment
        )
    except typst.TypstError:
        if not standards:
            raise
        # what the archival standard forbids (a picture of an odd kind) is no reason to print nothing
        compiler.compile(output=str(folder / "report.pdf"), format="pdf", timestamp=moment)
    return {"missing": lacking, "fonts": have}


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in ("file", "logo", "qr"):
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _replaced(value: Any, lacking: list[str]) -> Any:
    if isinstance(value, str):
        return fonts.printable(value, lacking)
    if isinstance(value, dict):
        return {
            name: one if name in ("file", "logo", "qr") else _replaced(one, lacking)
            for name, one in value.items()
        }
    return [_replaced(one, lacking) for one in value] if isinstance(value, list) else value


def work(task: dict[str, Any]) -> dict[str, Any]:
    """The whole of a task: the page, and the DICOM objects where they are asked for."""
    answer = set_report(task)
    if task.get("objects"):
        from filmless.dicom.reported.tasks import documents

        folder = Path(task["folder"])
        made = documents(task["objects"], (folder / "report.pdf").read_bytes())
        answer["objects"] = []
        for number, (sop_class, uid, data) in enumerate(made):
            (folder / f"object-{number}").write_bytes(data)
            answer["objects"].append((sop_class, uid, f"object-{number}"))
    return answer


def main() -> None:
    """Answer one task. Interactive work of the machine goes first (nice 5)."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY << 20, hard))
    # libraries may print: what they print must not look like an answer
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = work(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001  its text may quote the report: only its kind goes further
        kind, at = type(error).__name__, error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
        answer = {"error": f"{kind} in {where}"}
        if kind == "TypstError":
            answer["error"] += f": {getattr(error, 'message', '')[:200]}"
    with os.fdopen(own, "w") as out:
        json.dump(answer, out)


if __name__ == "__main__":
    main()
