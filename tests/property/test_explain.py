"""Whatever is in the files: `connector verify` gives a verdict or says what is wrong with the usage, and no value."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.cli.context import Context
from connector.cli.verify import verify
from connector.clock import FixedClock
from tests.acceptance.journey import load_shipped

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET = "canary-secret-1d07-of-good-length"
# Long enough not to stand in a message by chance.
CANARY = "canary-value-5e21"
CHECKS = [
    {"check": "signature", "timestamp_header": "X-OneTrust-Timestamp", "content": "{ts} {method} {url} {body}"},
    {"check": "signature", "header": "X-Sig", "layout_of_header": "pairs", "timestamp_item": "t", "id_header": "X-Id"},
    {"check": "scheme", "scheme": "twilio"},
    {"check": "scheme", "scheme": "hubspot-v3"},
    {"check": "header", "name": "X-Api-Key", "prefix": "Token "},
    {"check": "query", "name": "token"},
]
SENT_HEADERS = (
    *("X-OneTrust-Signature", "X-OneTrust-Timestamp", "X-Sig", "X-Id", "X-Twilio-Signature", "X-Signature"),
    *("X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp", "X-Api-Key", "Authorization", "Host", ":path"),
    *("X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Original-URI"),
    *("Content-Type", "Content-Encoding"),
)
ODD_VALUES = (
    *("", "1793610873", "1793610873000", "ab" * 32, "sha256=" + "ab" * 32, "t=1793610873,v1=" + "ab" * 32),
    *("A" * 27 + "=", "v1," + "A" * 43 + "=", "Bearer ", "Basic Og==", "Token ", "gzip", "a, b", "\u00e9", "\x00"),
    *("application/x-www-form-urlencoded", "[::1", "host:99999", "/%zz?a=%ff"),
)
NAMES = st.sampled_from(SENT_HEADERS)
ODD = st.sampled_from(ODD_VALUES)
VALUES = st.one_of(ODD, st.text(st.characters(codec="latin-1"), max_size=60))
PAIRS = st.lists(st.tuples(NAMES, st.builds(lambda a, b: a + b, VALUES, st.sampled_from(["", CANARY]))), max_size=8)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A configuration with a source for each of the checks, and all of them as alternatives."""
    file = tmp_path_factory.mktemp("secrets") / "canary.secret"
    file.write_text(SECRET, encoding="utf-8")
    alternatives = [{**check, "secrets": [f"file:{file}"]} for check in CHECKS]
    chosen = json.dumps([{"check": "any_of", "checks": alternatives}])
    toml = chosen.replace('": ', '" = ')
    made = Context("unused.toml", ())
    made.clock = FixedClock(NOW)
    made.__dict__["config"] = load_shipped(
        (f"sources.onetrust.verify={toml}", 'sources.onetrust.url="https://connector.example.com/webhooks/x"')
    )
    return made


def run(context: Context, headers: bytes, body: bytes, *options: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("call.headers", "call.body")]
        for path, content in zip(paths, (headers, body), strict=True):
            path.write_bytes(content)
        done = CliRunner().invoke(verify, [*map(str, paths), *options], obj=context)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def require_silence(output: str) -> None:
    for value in (CANARY, SECRET, "canary-body"):
        assert value not in output


@settings(max_examples=150, deadline=None)
@given(pairs=PAIRS, body=BODIES, as_json=st.booleans(), machine=st.booleans())
def test_any_call_gets_a_verdict_and_no_value_is_printed(
    context: Context, pairs: list[tuple[str, str]], body: bytes, as_json: bool, machine: bool
) -> None:
    text = json.dumps(pairs) if as_json else "\n".join(f"{name}: {value}" for name, value in pairs)
    raw = text.encode("utf-8" if as_json else "latin-1")
    status, output = run(context, raw, body + b"canary-body", *(["--json"] if machine else []))
    assert status in {1, 2}
    require_silence(output)
    if machine and status == 1:
        assert json.loads(output)["verdict"] == "refused"


@settings(max_examples=100, deadline=None)
@given(headers=st.binary(max_size=300), body=st.binary(max_size=50))
@example(headers=b"", body=b"")
@example(headers=b"[" * 100_000, body=b"[" * 100_000)
@example(headers=b'{"a": ' * 100_000, body=b"")
@example(headers=b'{"X-Sig": 1e999}', body=b"1" * 5000)
@example(headers=b"> \n", body=b"\x1f\x8b\x08\x00")
@example(headers=b"POST /x HTTP/1.1\r\n X-Folded: before anything", body=b"")
@example(headers=b"\xef\xbb\xbfX-Sig: a\r\n\tb\r\n", body=b"\xef\xbb\xbf{}")
def test_any_bytes_in_the_files_are_a_verdict_or_wrong_usage(context: Context, headers: bytes, body: bytes) -> None:
    status, output = run(context, headers, body)
    assert status in {1, 2}
    assert "Traceback" not in output


@settings(max_examples=100, deadline=None)
@given(options=st.dictionaries(st.sampled_from(["--at", "--url", "--method", "--peer"]), st.text(max_size=40)))
def test_any_options_are_a_verdict_or_wrong_usage(context: Context, options: dict[str, Any]) -> None:
    arguments = [part for name, value in options.items() for part in (f"{name}={value}",)]
    status, output = run(context, b"X-Sig: ab", b"{}", *arguments)
    assert status in {1, 2}
    assert "Traceback" not in output
