"""Keeps one throw-away PostgreSQL server for as long as somebody holds its standard input open.

Run as a program of its own: `python -I -S postgres_keeper.py BIN_FOLDER [NAME=VALUE …]`, the latter being settings of
the server; `standby_of=PORT` makes it a standby of the server that listens there. It prints `ready FOLDER` (the folder
of the server's socket) or `failed REASON`. Then it reads its input: a line `fast` or `immediate` restarts the server
that way, `stop`, `kill` and `start` do half of it, and each is answered in the same manner. At the end of its input it
stops the server and removes every file. The operating system closes that input however the test run ends, also by
SIGKILL, so nothing is left behind.

PostgreSQL refuses to run as root. As root it runs under an unprivileged account; if that account cannot reach the
programs (a virtual environment below a private home), they are copied rather than opened to everybody.

Standard library only. Durability is switched off: the data does not outlive the run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

START_LIMIT_S = 60
STOP_LIMIT_S = 10
ROOM_BYTES = 4 << 30
ACCOUNTS = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


# Words of the input → the signal by which the server is stopped.
STOPS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "stop": signal.SIGINT, "kill": signal.SIGQUIT}


def main(bin_folder: Path, more: list[str]) -> None:
    # A fresh folder directly below: the path of a Unix socket has at most 107 bytes.
    base = Path(tempfile.mkdtemp(prefix="connector-pg-", dir=place()))
    server: subprocess.Popen[bytes] | None = None
    try:
        account = unprivileged_account()
        if account:
            os.chown(base, account["user"], account["group"])
        run: dict[str, Any] = {"cwd": base, "env": environment(), "stdin": subprocess.DEVNULL, **account}
        bin_folder = reachable(bin_folder, base, run)
        settings = SETTINGS | dict(one.split("=", 1) for one in more)
        if primary := settings.pop("standby_of", ""):
            copy(bin_folder, base / "data", primary, run)
        else:
            initialise(bin_folder, base / "data", run)
        server = start(bin_folder, base, run, settings)
        say(f"ready {base}")
        for line in sys.stdin:
            word = line.strip()
            stop(server, STOPS.get(word, signal.SIGQUIT))
            if word not in {"stop", "kill"}:
                server = start(bin_folder, base, run, settings)
            say(f"ready {base}")
    except (OSError, RuntimeError) as error:
        say(f"failed {error}")
    finally:
        stop(server)
        shutil.rmtree(base, ignore_errors=True)


def place() -> str:
    """Return where the files go: into memory if there is room, because every test has a database of its own."""
    memory = "/dev/shm"
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
    return memory if has_room else "/tmp"


def say(line: str) -> None:
    sys.stdout.write(" ".join(line.split()) + "\n")
    sys.stdout.flush()


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "LANG": "C"}


def unprivileged_account() -> dict[str, Any]:
    """Return the `subprocess` arguments that change the account; none are needed unless this is root."""
    if os.geteuid() != 0:
        return {}
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError(f"running as root, and none of the accounts {', '.join(ACCOUNTS)} exists")


def reachable(bin_folder: Path, base: Path, run: dict[str, Any]) -> Path:
    try:
        subprocess.run([bin_folder / "initdb", "--version"], check=True, capture_output=True, **run)
    except PermissionError:
        if "user" not in run:
            raise
        return copied(bin_folder, base, run)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"initdb does not start: {error}") from error
    return bin_folder


def copied(bin_folder: Path, base: Path, run: dict[str, Any]) -> Path:
    """Copy the programs, and the libraries that a wheel keeps in `PACKAGE.libs` and finds by their relative place."""
    package, copy = bin_folder.parent.parent, base / "programs"
    libraries = package.with_name(f"{package.name}.libs")
    place = copy / package.name / bin_folder.parent.name
    shutil.copytree(bin_folder.parent, place, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, run["user"], run["group"], follow_symlinks=False)
    return place / bin_folder.name


def initialise(bin_folder: Path, data: Path, run: dict[str, Any]) -> None:
    options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    carry_out([bin_folder / "initdb", "-D", data, *options], run)


def copy(bin_folder: Path, data: Path, port: str, run: dict[str, Any]) -> None:
    """Copy a server that runs, and let the copy follow it from there."""
    source = f"host=127.0.0.1 port={port} user=postgres"
    options = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
    carry_out([bin_folder / "pg_basebackup", "-D", data, "-d", source, *options], run)


def carry_out(command: list[Any], run: dict[str, Any]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, **run)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.decode(errors='replace')}")


def start(bin_folder: Path, base: Path, run: dict[str, Any], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    settings = settings | {"unix_socket_directories": str(base)}
    # Left behind by a server that was not given the time to remove it.
    (base / "data" / "postmaster.pid").unlink(missing_ok=True)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = base / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [bin_folder / "postgres", "-D", base / "data", *options], stdout=output, stderr=output, **run
        )
    try:
        until_ready(server, base / "data" / "postmaster.pid")
    except RuntimeError as error:
        stop(server)
        raise RuntimeError(f"{error}: {log.read_text(errors='replace')[-500:]}") from error
    return server


def until_ready(server: subprocess.Popen[bytes], pid_file: Path) -> None:
    """Wait for the word that PostgreSQL writes into the last line of its pid file once it accepts connections."""
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if server.poll() is not None:
            raise RuntimeError(f"postgres ended with {server.returncode}")
        if pid_file.exists() and pid_file.read_text().split()[-1:] == ["ready"]:
            return
        time.sleep(0.02)
    raise RuntimeError(f"postgres was not ready within {START_LIMIT_S} s")


def stop(server: subprocess.Popen[bytes] | None, how: signal.Signals = signal.SIGQUIT) -> None:
    if server is None or server.poll() is not None:
        return
    server.send_signal(how)  # SIGQUIT is at once, for when nobody wants the data
    try:
        server.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    main(Path(sys.argv[1]), sys.argv[2:])
