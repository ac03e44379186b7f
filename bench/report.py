"""The comparison as Markdown: machine and date, each side's durability, a table per part."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import disk
from bench.sides import DURABILITY


def machine() -> str:
    """Processor, cores, memory, system and Python, without the machine's name."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def versions() -> str:
    """The peers' versions as they name themselves."""
    orthanc = subprocess.run(["Orthanc", "--version"], capture_output=True, text=True, check=False).stdout
    dcmtk = subprocess.run(["storescu", "--version"], capture_output=True, text=True, check=False).stdout
    import pynetdicom

    return (
        f"{' '.join(orthanc.split()[:2])}, dcmtk {dcmtk.split()[2].lstrip('v')}, "
        f"pynetdicom {pynetdicom.__version__}"
    )


class Report:
    """Collects figures; `add` says each at once on stderr, so that a long run shows that it moves."""

    def __init__(self, sides: Sequence[str], *, quick: bool) -> None:
        self.sides = (*sides, disk.NAME)
        self.quick = quick
        self.started = datetime.now(UTC)
        #: (part, row, side) -> figures of the rounds
        self.figures: dict[tuple[str, str, str], list[float]] = {}
        self.units: dict[str, str] = {}
        self.notes: list[str] = []
        #: (part, row) -> what the load client could take at most, each time it was measured
        self.ceilings: dict[tuple[str, str], list[float]] = {}

    def add(self, part: str, row: str, side: str, figure: float) -> None:
        self.figures.setdefault((part, row, side), []).append(figure)
        print(f"{part} | {row} | {side}: {figure:.4g}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def median(self, part: str, row: str, side: str) -> float | None:
        figures = self.figures.get((part, row, side))
        return statistics.median(figures) if figures else None

    def markdown(self, wanted: Sequence[tuple[str, str, bool]] = ()) -> str:
        """`wanted`: rows of what is asked of Filmless, the figure, and whether it is so."""
        lines = [
            f"## {self.started:%Y-%m-%d}{' (quick: figures mean little)' if self.quick else ''}",
            "",
            f"Machine: {machine()}. Peers: {versions()}. All in one run, taking turns; medians"
            " (least to most); where the figure is ms or MB, less is better."
            " TCP_NODELAY=1 for dcmtk and Orthanc, PDUs of 128 kB.",
            "",
            "| side | durability when it answers |",
            "|---|---|",
            *(f"| {side} | {DURABILITY[side]} |" for side in self.sides if side in DURABILITY),
            f"| {disk.NAME} | {disk.DURABILITY} |",
        ]
        for part in dict.fromkeys(key[0] for key in self.figures):
            sides = [
                side for side in self.sides if any(key[0] == part and key[2] == side for key in self.figures)
            ]
            peer = next((side for side in ("Orthanc", "OHIF") if side in sides), "")
            ratios = "Filmless" in sides and peer != ""
            lines += ["", f"### {part}", ""]
            lines.append("| | " + " | ".join(sides) + (f" | Filmless : {peer} |" if ratios else " |"))
            lines.append("|---" * (len(sides) + 1 + ratios) + "|")
            for row in dict.fromkeys(key[1] for key in self.figures if key[0] == part):
                cells = [self._cell(part, row, side) for side in sides]
                if ratios:
                    ours, theirs = self.median(part, row, "Filmless"), self.median(part, row, peer)
                    cells.append(f"{ours / theirs:.2f}" if ours and theirs else "")
                lines.append(f"| {row} | " + " | ".join(cells) + " |")
        if wanted:
            lines += ["", "### Wanted", "", "| | measured | |", "|---|---|---|"]
            lines += [f"| {words} | {figure} | {'yes' if so else 'no'} |" for words, figure, so in wanted]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines)

    def _cell(self, part: str, row: str, side: str) -> str:
        figures = self.figures.get((part, row, side))
        if not figures:
            return ""
        digits = 0 if min(figures) >= 100 else 1 if min(figures) >= 10 else 2
        text = f"{statistics.median(figures):.{digits}f}"
        if len(figures) > 1:
            text += f" ({min(figures):.{digits}f}-{max(figures):.{digits}f})"
        return text
