"""Installs the Node.js peer with npm, pinned by `package-lock.json`, into a folder of its own below `var/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.stage import ROOT

FOLDER: Final = ROOT / "var" / "peers"
_HERE: Final = Path(__file__).parent
_PINNED: Final = ("package.json", "package-lock.json")
_OLDEST_NODE: Final = 20
_PATIENCE_S: Final = 900.0


class Unavailable(Exception):
    """The peer cannot be had here; the text says what is missing."""


def command(database: Path, secret: Path, port: int) -> list[str]:
    """Return the command line of the installed peer."""
    # Modules are found from where the program lies.
    shutil.copy(_HERE / "server.mjs", FOLDER)
    return [_found("node"), str(FOLDER / "server.mjs"), str(port), str(database), str(secret)]


def is_installed() -> bool:
    """Say whether exactly what is pinned lies there, built for the Node.js of today."""
    try:
        return _mark().read_text(encoding="utf-8") == _wanted()
    except (OSError, Unavailable):
        return False


def install() -> None:
    """Install what is pinned, unless it lies there already.

    Raises:
        Unavailable: Node.js or npm is missing or too old, or npm failed.
    """
    if is_installed():
        return
    wanted, npm = _wanted(), _found("npm")
    if int(wanted.partition("\n")[0].lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        raise Unavailable(f"Node.js {_OLDEST_NODE} or newer is needed")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in _PINNED:
        shutil.copy(_HERE / name, FOLDER)
    log = FOLDER / "npm.log"
    with log.open("wb") as output:
        try:
            status = _run([npm, "ci", "--no-audit", "--no-fund"], output.fileno())
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not end within {_PATIENCE_S:g} s; see {log.relative_to(ROOT)}") from None
    if status != 0:
        raise Unavailable(
            f"npm ci failed; see {log.relative_to(ROOT)}. Where no built binary of better-sqlite3 can be fetched, "
            "it is compiled, which needs make, a C++ compiler, and Node.js' headers"
        )
    _mark().write_text(wanted, encoding="utf-8")


def versions() -> str:
    """Return what is installed, in words."""
    pinned = json.loads((_HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return ", ".join([f"Node.js {_node_version().lstrip('v')}", *(f"{name} {pinned[name]}" for name in sorted(pinned))])


def _run(call: Sequence[str], output: int) -> int:
    environment = dict(os.environ)
    # A binary is built against the headers that came with this Node.js, so that none have to be fetched.
    home = Path(_found("node")).resolve().parents[1]
    if (home / "include" / "node" / "node.h").exists():
        environment.setdefault("npm_config_nodedir", str(home))
    return subprocess.run(
        call, cwd=FOLDER, env=environment, stdout=output, stderr=output, timeout=_PATIENCE_S, check=False
    ).returncode


def _wanted() -> str:
    return "\n".join([_node_version(), *((_HERE / name).read_text(encoding="utf-8") for name in _PINNED)])


def _mark() -> Path:
    return FOLDER / "installed"


def _node_version() -> str:
    return subprocess.run([_found("node"), "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is missing: Node.js {_OLDEST_NODE} or newer with npm is needed")
    return path
