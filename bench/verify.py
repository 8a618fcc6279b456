"""What verifying a 2 KiB delivery costs, for every way of signing, beside the bare operation that it rests on.

The subjects are those of the contract suite, so a new way of signing is measured as soon as it is tested.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table

from bench.figures import Figure
from bench.stage import BenchError
from connector.errors import ConnectorError
from tests.contract.subjects.subject import CURRENT, NOW, Subject
from tests.contract.test_every_verifier import SUBJECTS

BODY_BYTES: Final = 2_048
_KEY: Final = b"k" * 32
_TEXT: Final = b"x" * BODY_BYTES
_SHORTEST_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and which subjects; none means all."""

    rounds: int = 7
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One way of signing: microseconds for our check and for the primitive, each round by itself."""

    name: str
    primitive: str
    ours_us: Figure
    bare_us: Figure
    ratio: Figure


@dataclass(slots=True)
class Result:
    rows: list[Row] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        table = Table(
            title="verification of a 2 KiB delivery, µs",
            caption="One thread. The primitive is the bare operation of the library over 2 KiB, measured in turn.",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("way of signing")
        for name in ("ours", "primitive", "ours ÷ primitive"):
            table.add_column(name, justify="right")
        for one in self.rows:
            bare = f"{one.bare_us.median:,.1f}  {one.primitive}"
            table.add_row(one.name, one.ours_us.shown(1), bare, one.ratio.shown(1))
        return table

    def as_dict(self) -> dict[str, Any]:
        return {
            one.name: {
                "primitive": one.primitive,
                "ours_us": one.ours_us.as_dict(),
                "bare_us": one.bare_us.as_dict(),
                "ratio": one.ratio.as_dict(),
            }
            for one in self.rows
        }


def measure(plan: Plan) -> Result:
    """Measure every subject.

    Raises:
        BenchError: a delivery that has to be accepted was refused, or there is no such subject.
    """
    unknown = set(plan.only) - set(SUBJECTS)
    if unknown:
        raise BenchError(f"not a way of signing: {', '.join(sorted(unknown))}; known: {', '.join(SUBJECTS)}")
    primitives = _primitives()
    return Result([_row(SUBJECTS[name], plan, primitives) for name in plan.only or SUBJECTS])


def _row(subject: Subject, plan: Plan, primitives: dict[str, Callable[[], object]]) -> Row:
    check = subject.verifier(CURRENT)
    inbound = subject.send(CURRENT, filled(subject.content), NOW).inbound()
    try:
        check.verify(inbound, NOW)
    except ConnectorError as error:
        raise BenchError(f"{subject.name}: {error}") from None
    if subject.primitive not in primitives:
        raise BenchError(f"{subject.name} rests on {subject.primitive}, which is not measured here")
    bare = primitives[subject.primitive]
    rounds = [(_us(lambda: check.verify(inbound, NOW)), _us(bare)) for _ in range(plan.rounds)]
    return Row(
        subject.name,
        subject.primitive,
        Figure.over([ours for ours, _ in rounds]),
        Figure.over([floor for _, floor in rounds]),
        Figure.over([ours / floor for ours, floor in rounds]),
    )


def filled(content: bytes) -> bytes:
    """Return the content with a member more, so that it has 2 KiB; a form gets a field more."""
    try:
        members = json.loads(content)
    except ValueError:
        return content + b"&filling=" + b"x" * (BODY_BYTES - len(content) - 9)
    short = json.dumps(members | {"filling": ""}, separators=(",", ":"))
    return json.dumps(members | {"filling": "x" * (BODY_BYTES - len(short))}, separators=(",", ":")).encode()


def _us(call: Callable[[], object]) -> float:
    """Return what one call takes, in microseconds: the median of several runs that are long enough to be timed."""
    times = 1
    while (taken := _taken_s(call, times)) < _SHORTEST_S:
        times = max(times * 2, int(times * _SHORTEST_S / max(taken, 1e-9)))
    return statistics.median(_taken_s(call, times) for _ in range(3)) / times * 1e6


def _taken_s(call: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - began


def _primitives() -> dict[str, Callable[[], object]]:
    """Return the bare operations over 2 KiB, by the names that subjects use."""
    found: dict[str, Callable[[], object]] = {"compare": lambda: hmac.compare_digest(_KEY, _KEY)}
    for name in ("sha1", "sha256", "sha384", "sha512"):
        found[f"hmac-{name}"] = lambda name=name: hmac.digest(_KEY, _TEXT, name)
    found["digest-sha256"] = lambda: hashlib.sha256(_TEXT).digest()
    ed25519 = Ed25519PrivateKey.generate()
    signed, public = ed25519.sign(_TEXT), ed25519.public_key()
    found["ed25519"] = lambda: public.verify(signed, _TEXT)
    curves: tuple[tuple[str, ec.EllipticCurve, hashes.HashAlgorithm], ...] = (
        ("p256", ec.SECP256R1(), hashes.SHA256()),
        ("p384", ec.SECP384R1(), hashes.SHA384()),
        ("p521", ec.SECP521R1(), hashes.SHA512()),
    )
    for name, curve, digest in curves:
        private = ec.generate_private_key(curve)
        how = ec.ECDSA(digest)
        made, known = private.sign(_TEXT, how), private.public_key()
        found[f"ecdsa-{name}"] = lambda made=made, known=known, how=how: known.verify(made, _TEXT, how)
    return found | _rsa()


def _rsa() -> dict[str, Callable[[], object]]:
    private = rsa.generate_private_key(65_537, 2_048)
    known, digest = private.public_key(), hashes.SHA256()
    pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    by_pkcs1, by_pss = (private.sign(_TEXT, one, digest) for one in (padding.PKCS1v15(), pss))
    return {
        "rsa-pkcs1": lambda: known.verify(by_pkcs1, _TEXT, padding.PKCS1v15(), digest),
        "rsa-pss": lambda: known.verify(by_pss, _TEXT, pss, digest),
    }
