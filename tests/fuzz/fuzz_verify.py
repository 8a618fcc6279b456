"""Coverage-guided fuzzing of every check: `make fuzz`, or `make fuzz ARGS="-max_total_time=600"` for longer.

Atheris runs the checks under instrumentation and keeps whatever input reaches new code. It begins with the good
delivery of every subject of the contract suite. An input that gets anything but a verdict or a 401 out of a check, or a
verdict about a content that nobody signed, is written to a file `crash-…` and ends the run with status 77.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["connector.verify", "connector.inbound", "jwt", "http_message_signatures"]):
    from connector.errors import Rejected
    from connector.inbound import Inbound
    from tests.contract.subjects.subject import CURRENT, NEXT, NOW, Sent
    from tests.contract.test_every_verifier import SUBJECTS

#: Between the parts of an input: a byte that no header may hold.
BORDER: Final = b"\x00"
NAMES: Final = tuple(SUBJECTS)
CHECKS: Final = {name: one.verifier(CURRENT, NEXT) for name, one in SUBJECTS.items()}
SIGNED: Final = {name: one.send(CURRENT, one.content, NOW) for name, one in SUBJECTS.items()}


def written(name: str, sent: Sent) -> bytes:
    """Return a delivery as an input: the subject's number, the URL, header lines, an empty one, the body."""
    lines = [f"{header}:{value}".encode() for header, value in sent.headers.items()]
    return bytes([NAMES.index(name)]) + BORDER.join([sent.url.encode(), *lines, b"", sent.body])


def read(data: bytes) -> tuple[str, Inbound]:
    """Return the subject and the delivery of an input; every input is one."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    head, _, body = data[1:].partition(BORDER * 2)
    url, *lines = (part.decode(errors="surrogateescape") for part in head.split(BORDER))
    headers = tuple((header, value) for header, _, value in (line.partition(":") for line in lines))
    return name, Inbound("POST", url, headers, body, "192.0.2.10")


def one_input(data: bytes) -> None:
    """Give one input to the check that it names; raises if anything but a verdict or a 401 comes out."""
    name, inbound = read(data)
    subject = SUBJECTS[name]
    try:
        said = CHECKS[name].verify(inbound, NOW)
    except Rejected as error:
        if error.entry.status == 401:
            return
        raise
    signed = said.payload == subject.content or inbound.body == SIGNED[name].body
    assert signed or not subject.covers_body, f"{name} vouches for what nobody signed"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, sent in SIGNED.items():
            (Path(folder) / f"seed-{NAMES.index(name)}").write_bytes(written(name, sent))
        # libFuzzer leaves with the process, so that nothing after this line runs; the folder is a temporary one.
        atheris.Setup([sys.argv[0], "-max_total_time=60", "-max_len=4096", *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
