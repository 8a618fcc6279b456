"""Time-stamping authorities for tests: the sandbox's without a socket, and the `openssl` program as another reader."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import Certificate
from werkzeug.test import Client

from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import Temporary
from connector.policy.retry import RetryPolicy
from connector.proof.stamp_token import Authorities
from connector.sandbox.time_authority import PATH, FakeTimeAuthority
from connector.services.proofs import Stamping

IN_CI = os.environ.get("CONNECTOR_CI", "") not in ("", "0")
RETRY = RetryPolicy(60, 3600)


@dataclass
class StandInAuthority:
    """Asks a fake authority without a socket; fulfils `ports.TimeAuthority`.

    Attributes:
        asked: every question, in order.
        fails: what is raised instead of the next answers.
    """

    fake: FakeTimeAuthority
    asked: list[bytes] = field(default_factory=list)
    fails: list[BaseException] = field(default_factory=list)

    @classmethod
    def at(cls, clock: FixedClock, lifetime: timedelta = timedelta(days=365)) -> StandInAuthority:
        return cls(FakeTimeAuthority(clock=lambda: clock.now().timestamp(), lifetime=lifetime))

    def ask(self, question: bytes) -> bytes:
        self.asked.append(question)
        if self.fails:
            raise self.fails.pop(0)
        answer = Client(self.fake._wsgi).post(PATH, data=question, content_type="application/timestamp-query")
        if answer.status_code != 200:
            raise Temporary(Code.REMOTE_FAULT, f"status {answer.status_code}")
        return answer.get_data()

    def stamping(self, *trusted: Certificate, **settings: Any) -> Stamping:
        """Return how it is asked; its root is trusted unless others are given."""
        numbers = iter(range(1, 1_000_000))
        certificates = trusted or (self.fake.root.certificate,)
        whole: Mapping[str, Any] = {"nonce": lambda: next(numbers), "retry": RETRY} | settings
        return Stamping(self, Authorities(certificates), **whole)


def openssl(*arguments: str | Path, cwd: Path) -> str:
    """Run `openssl` and return what it says; without the program a test is skipped, and fails in CI."""
    program = shutil.which("openssl")
    if program is None:
        if IN_CI:
            pytest.fail("openssl is required when CONNECTOR_CI is set")
        pytest.skip("needs openssl")
    done = subprocess.run([program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode == 0 else f"FAILED {done.stdout}{done.stderr}"
