from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config import Config, load
from connector.config.checks import Check
from connector.errors import Misconfigured
from tests.unit.config.trial import BASE, ENVIRON, GONE, PLATFORMS, SOURCE, VERIFY, Place, Trial, leaves, spoilt, toml

REPORT: Place = (*SOURCE, "report")
TARGET: Place = (*SOURCE, "mapping", 0, "targets", 0)
LONG = "canary-in-the-wrong-place-5e81"
# Every kind of check and condition, in the order of the union.
KINDS = ", ".join(repr(get_args(one.model_fields["check"].annotation)[0]) for one in get_args(get_args(Check)[0]))
HMAC = {"check": "signature", "secrets": ["env:WEBHOOK_SECRET"]}


def test_the_configuration_that_is_spoilt_below_is_valid(trial: Trial) -> None:
    assert trial.load().sources["onetrust"].account == "main"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("servr",), "servr: unknown key; did you mean server?"),
        (("server", "prot"), "server.prot: unknown key; did you mean port?"),
        (("accounts", "main", "tokn"), "accounts.main.tokn: unknown key; did you mean token?"),
        (
            ("accounts", "main", "body", "tabel_key"),
            "accounts.main.body.tabel_key: unknown key; did you mean table_key?",
        ),
        ((*SOURCE, "acount"), "sources.onetrust.acount: unknown key; did you mean account?"),
        ((*VERIFY, 0, "secret"), "sources.onetrust.verify[0].secret: unknown key; did you mean secrets?"),
        ((*SOURCE, "mapping", 0, "kind"), "sources.onetrust.mapping[0].kind: unknown key; did you mean kinds?"),
        ((*TARGET, "filed"), "sources.onetrust.mapping[0].targets[0].filed: unknown key; did you mean field?"),
        ((*REPORT, "hots"), "sources.onetrust.report.hots: unknown key; did you mean host?"),
        (
            (*REPORT, "resolutions", "complete"),
            "sources.onetrust.report.resolutions.complete: unknown key; did you mean completed?",
        ),
        (("zzz",), "zzz: unknown key"),
        ((*VERIFY, 0, "zzz"), "sources.onetrust.verify[0].zzz: unknown key"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(trial: Trial, place: Place, line: str) -> None:
    assert trial.lines(spoilt((place, 1))) == [line]


@pytest.mark.parametrize(
    "place",
    [
        ("store",),
        ("accounts",),
        ("store", "pseudonym_key"),
        ("accounts", "main", "token"),
        (*SOURCE, "platform"),
        (*VERIFY,),
        (*VERIFY, 0, "check"),
        (*VERIFY, 0, "secrets"),
        (*TARGET, "field"),
        (*REPORT, "client_secret"),
    ],
)
def test_a_setting_that_is_missing_is_named(trial: Trial, place: Place) -> None:
    where = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place).lstrip(".")
    lines = trial.lines(spoilt((place, GONE)))
    assert f"{where}: missing" in lines
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("server", "port"), 80800, "server.port: expected at most 65535; found 80800"),
        (("server", "port"), 0, "server.port: expected at least 1; found 0"),
        (("server", "port"), "8080", "server.port: expected a whole number; found text"),
        (("server", "port"), 80.5, "server.port: expected a whole number; found 80.5"),
        (("server", "port"), True, "server.port: expected a whole number; found true"),
        (("server", "port"), [1], "server.port: expected a whole number; found a list"),
        (("server", "port"), 10**40, "server.port: expected at most 65535; found a long number"),
        (("server",), 3, "server: expected a table; found 3"),
        (("accounts", "main"), [], "accounts.main: expected a table; found a list"),
        (("sources",), {}, "sources: expected at least one entry; found none"),
        (("engine", "tick_s"), 0, "engine.tick_s: expected more than 0; found 0"),
        (("engine", "tick_s"), "fast", "engine.tick_s: expected a number; found text"),
        (("engine", "tick_s"), False, "engine.tick_s: expected a number; found false"),
        (("engine", "tick_s"), float("nan"), "engine.tick_s: expected a finite number; found nan"),
        (("engine", "tick_s"), float("inf"), "engine.tick_s: expected a finite number; found inf"),
        (("log", "level"), "debug", "log.level: expected 'info', 'warning' or 'error'; found 'debug'"),
        (("log", "level"), LONG, "log.level: expected 'info', 'warning' or 'error'; found text"),
        (("log", "level"), "", "log.level: expected 'info', 'warning' or 'error'; found nothing"),
        ((*SOURCE, "enabled"), "yes", "sources.onetrust.enabled: expected true or false; found text"),
        ((*SOURCE, "enabled"), 1, "sources.onetrust.enabled: expected true or false; found 1"),
        (("server", "host"), 5, "server.host: expected text in quotation marks; found 5"),
        (("server", "host"), {}, "server.host: expected text in quotation marks; found a table"),
        ((*SOURCE, "deletion_types"), "x", "sources.onetrust.deletion_types: expected a list; found text"),
        ((*SOURCE, "deletion_types"), [], "sources.onetrust.deletion_types: expected at least one entry; found none"),
        (
            (*SOURCE, "deletion_types", 0),
            7,
            "sources.onetrust.deletion_types[0]: expected text in quotation marks; found 7",
        ),
        (
            (*SOURCE, "regulation"),
            "gdrp",
            "sources.onetrust.regulation: expected 'gdpr', 'uk_gdpr', 'ccpa', 'vcdpa', 'cpa' or 'ctdpa'; found 'gdrp'",
        ),
        ((*SOURCE, "platform"), "keych", "sources.onetrust.platform: expected one of the platforms: onetrust"),
        (
            (*VERIFY, 0, "check"),
            "none",
            (f"sources.onetrust.verify[0].check: expected one of {KINDS}; found 'none'"),
        ),
        (
            (*VERIFY, 0, "check"),
            LONG,
            (f"sources.onetrust.verify[0].check: expected one of {KINDS}; found text"),
        ),
        ((*VERIFY,), [], "sources.onetrust.verify: expected at least one entry; found none"),
        ((*VERIFY, 0, "secrets"), [], "sources.onetrust.verify[0].secrets: expected at least one entry; found none"),
        (
            (*REPORT, "resolutions", "completed"),
            "done",
            "sources.onetrust.report.resolutions.completed: expected a UUID, or nothing; found text",
        ),
        (
            (*REPORT, "client_id"),
            "",
            "sources.onetrust.report.client_id: expected text, or a reference env:NAME or file:PATH",
        ),
        (
            ("accounts", "main", "body", "field_key"),
            "table",
            "accounts.main.body.field_key: expected a key of its own; two of the three are the same",
        ),
        (
            ("accounts", "main", "body", "field_key"),
            "",
            "accounts.main.body.field_key: expected at least one character; found nothing",
        ),
        ((*SOURCE, "account"), "other", "sources.onetrust.account: names an account that is not there; known: main"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_is_expected(
    trial: Trial, place: Place, value: Any, problem: str
) -> None:
    assert trial.lines(spoilt((place, value))) == [problem]


@pytest.mark.parametrize("name", ["Main", "main account", "-main", "x" * 64, ""])
@pytest.mark.parametrize("table", ["accounts", "sources"])
def test_a_name_is_lower_case_letters_digits_and_hyphens(trial: Trial, table: str, name: str) -> None:
    (one,) = BASE[table].values()
    lines = trial.lines(spoilt(((table, name), one)))
    assert lines == [f"{table}.{name}: expected a name of at most 63 lower-case letters, digits and hyphens"]


@pytest.mark.parametrize("name", ["m", "0", "main-2", "x" * 63])
def test_a_good_name_passes(trial: Trial, name: str) -> None:
    assert name in trial.load(spoilt((("accounts", name), BASE["accounts"]["main"]))).accounts


@pytest.mark.parametrize(
    "host",
    [
        "https://example.my.onetrust.com",
        "example.my.onetrust.com/",
        "example.my.onetrust.com:443",
        "Example.my.onetrust.com",
        "localhost",
        "127.0.0.1",
        "-x.example.com",
        "user@example.com",
        f"{'x' * 64}.example.com",
        "exa mple.com",
    ],
)
def test_the_host_is_a_bare_name(trial: Trial, host: str) -> None:
    (line,) = trial.lines(spoilt(((*REPORT, "host"), host)))
    assert line.startswith("sources.onetrust.report.host: expected a bare host name in lower case, such as ")


@pytest.mark.parametrize(
    ("host", "base_url"), [(GONE, GONE), ("example.my.onetrust.com", "http://127.0.0.1:8092"), ("", "")]
)
def test_exactly_one_of_host_and_base_url_is_given(trial: Trial, host: Any, base_url: Any) -> None:
    raw = spoilt(((*REPORT, "host"), host))
    if base_url is not GONE:
        raw = spoilt(((*REPORT, "base_url"), base_url), base=raw)
    assert trial.lines(raw) == ["sources.onetrust.report.base_url: expected exactly one of host and base_url"]


def test_a_rehearsal_reports_to_this_machine_only(trial: Trial) -> None:
    raw = spoilt(((*REPORT, "host"), GONE), ((*REPORT, "base_url"), "http://127.0.0.1:8092/"))
    assert trial.load(raw).sources["onetrust"].report.base_url == "http://127.0.0.1:8092"
    for url in ("https://example.com", "http://example.com", "http://127.0.0.1.example.com", "http://localhost:0"):
        (line,) = trial.lines(spoilt(((*REPORT, "base_url"), url), base=raw))
        assert line.startswith("sources.onetrust.report.base_url: only for rehearsals: expected http:// on a loopback")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.lytics.io",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "https://user:pass@example.com",
        "https://example.com?key=1",
        "https://example.com#x",
        "https://example.com:99999",
        "https://example.com/a b",
        "ftp://example.com",
        "example.com",
        "",
    ],
)
def test_lytics_is_called_over_https_or_on_this_machine(trial: Trial, url: str) -> None:
    lines = trial.lines(spoilt((("accounts", "main", "base_url"), url)))
    assert lines == ["accounts.main.base_url: expected https://HOST, or http:// on a loopback address"]


@pytest.mark.parametrize(
    "url", ["https://example.com:8443/lytics/", "http://localhost:8091", "http://127.0.0.2", "http://[::1]:8091"]
)
def test_a_good_address_passes_without_its_last_slash(trial: Trial, url: str) -> None:
    config = trial.load(spoilt((("accounts", "main", "base_url"), url)))
    assert config.accounts["main"].base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "place",
    [("store", "url"), ("server", "host"), (*VERIFY, 0, "secrets", 0), (*REPORT, "client_id"), (*TARGET, "field")],
)
def test_an_unresolved_placeholder_is_told_once(trial: Trial, place: Place) -> None:
    where = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place).lstrip(".")
    (line,) = trial.lines(spoilt((place, "a ${WHAT_NOBODY_FILLED} b")))
    assert line.startswith(f"{where}: an unresolved placeholder ${{…}}; write the value, or a reference")


@pytest.mark.parametrize("value", [date(2026, 11, 2), time(9, 0)])
def test_a_date_fits_nowhere(trial: Trial, value: Any) -> None:
    lines = trial.lines(spoilt((("accounts", "main", "account_id"), value)))
    assert lines == ["accounts.main.account_id: a date or time, which no setting takes; put text into quotation marks"]


def test_mapping_problems_come_with_the_others_and_with_their_place(trial: Trial) -> None:
    rule = {"kinds": ["phone"], "targets": [{"table": "user", "field": "a b", "steps": ["trim", "lwer", "e164"]}]}
    unreadable = {"kinds": ["x"], "targets": [{"table": "user", "field": 5}]}
    again = {"kinds": ["E-Mail"], "targets": [{"table": "user", "field": "email"}]}
    raw = spoilt(
        ((*SOURCE, "mapping"), [*BASE["sources"]["onetrust"]["mapping"], unreadable, rule, again]),
        (("server", "port"), 0),
    )
    lines = trial.lines(raw)
    assert [one.partition(": ")[0] for one in lines] == [
        "server.port",
        "sources.onetrust.default_region",
        "sources.onetrust.mapping[1].targets[0].field",
        "sources.onetrust.mapping[2].targets[0].field",
        "sources.onetrust.mapping[2].targets[0].steps[1]",
        "sources.onetrust.mapping[3].kinds[0]",
    ]
    assert "'lwer' is not a step; known: trim," in lines[4]
    assert "belongs to mapping[0] already" in lines[5]


@pytest.mark.parametrize("region", ["Germany", 49])
def test_a_region_that_is_none_is_told_once(trial: Trial, region: Any) -> None:
    (line,) = trial.lines(spoilt(((*SOURCE, "default_region"), region), ((*TARGET, "steps"), ["e164"])))
    assert line.startswith("sources.onetrust.default_region: ")


def test_all_problems_are_told_together(trial: Trial) -> None:
    raw = spoilt(
        (("servr",), {}),
        (("server", "port"), 0),
        (("store", "url"), "mysql://x"),
        (("store", "pseudonym_key"), LONG),
        (("accounts", "main", "token"), "env:NOT_SET"),
        (("accounts", "main", "base_url"), "http://example.com"),
        ((*SOURCE, "account"), "other"),
        ((*SOURCE, "platform"), "nobody"),
        ((*VERIFY, 0, "secrets"), ["env:NOT_SET", "file:not-there", LONG]),
        ((*VERIFY, 0, "name"), "a header"),
        ((*TARGET, "steps"), ["nothing"]),
        ((*REPORT, "host"), GONE),
        ((*REPORT, "client_secret"), "${SECRET}"),
    )
    assert [one.partition(": ")[0] for one in trial.lines(raw, "no sign", "server.threads=many")] == [
        "--set, number 1",
        "accounts.main.base_url",
        "accounts.main.token",
        "server.port",
        "server.threads",
        "servr",
        "sources.onetrust.account",
        "sources.onetrust.mapping[0].targets[0].steps[0]",
        "sources.onetrust.platform",
        "sources.onetrust.report.base_url",
        "sources.onetrust.report.client_secret",
        "sources.onetrust.verify[0].name",
        "sources.onetrust.verify[0].secrets[0]",
        "sources.onetrust.verify[0].secrets[1]",
        "sources.onetrust.verify[0].secrets[2]",
        "store.pseudonym_key",
        "store.url",
    ]


def test_a_problem_is_one_line_even_with_a_line_feed_in_a_name(trial: Trial) -> None:
    assert trial.lines(spoilt((("two\nlines",), 1))) == ["two lines: unknown key"]


def test_a_file_that_is_not_toml_is_told_with_its_line(trial: Trial) -> None:
    told = trial.refusal(f'[server]\nport = 8080\nhost = "{LONG}\n')
    assert "trial.toml is not TOML: " in told
    assert "line 3" in told
    assert LONG not in told


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x = " + b"[" * 100_000, b"x = " + b"1" * 10_000])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "trial.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"trial\.toml cannot be read \([A-Za-z]+\)"):
        load(file, {}, (), PLATFORMS)


# The labels of a mapping are words of the two systems; its problems show them.
_SHOWN = {"kinds", "steps"}


@pytest.mark.parametrize("place", [one for one in leaves(BASE) if not _SHOWN & set(one)], ids=str)
@pytest.mark.parametrize("canary", [LONG, f"{LONG}@x:y", f" {LONG}", 5_810_000_000_000_000_001])
def test_a_value_in_the_wrong_place_is_never_shown(trial: Trial, place: Place, canary: str | int) -> None:
    told = refusal(trial.file, spoilt((place, canary)))
    assert str(canary).strip() not in told
    # Where nothing is said, any text may stand.
    assert told or isinstance(canary, str)


def refusal(file: Path, raw: Any) -> str:
    """Return all that an error says, with those that led to it; nothing for a valid configuration."""
    file.write_text(toml(raw), encoding="utf-8", newline="")
    try:
        assert isinstance(load(file, ENVIRON, (), PLATFORMS), Config)
    except Misconfigured as error:
        chain = (error, error.__cause__, None if error.__suppress_context__ else error.__context__)
        return "".join(f"{one} {one!r}" for one in chain if one is not None)
    return ""


_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    st.sampled_from(["env:WEBHOOK_SECRET", "file:trial.toml", "env:", "header", "signature", "https://example.com"]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["check", "secrets", "name", "main", "field", "verify", "é"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from([*leaves(BASE), SOURCE, VERIFY, REPORT, TARGET, ("accounts", "main"), ("store",)]), _VALUES)
@settings(max_examples=150, deadline=None)
def test_whatever_the_file_holds_it_is_a_configuration_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, place: Place, value: Any
) -> None:
    told = refusal(tmp_path_factory.getbasetemp() / "any.toml", spoilt((place, value)))
    assert not any(secret in told for secret in ENVIRON.values())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"evidence": {"enabled": True}}, 'evidence: needs complete_with = "complete"; the other call takes no file'),
        ({"webhook": {"id": "not-a-uuid", "token": "env:WEBHOOK_SECRET"}}, "webhook.id: expected a UUID"),
        (
            {"webhook": {"id": "5f3b0b0e-3f0f-4a55-9e34-3f2a6a6f5c11/../../admin", "token": "env:WEBHOOK_SECRET"}},
            "webhook.id: expected a UUID",
        ),
        (
            {"webhook": {"id": "https://169.254.169.254/latest", "token": "env:WEBHOOK_SECRET"}},
            "webhook.id: expected a UUID",
        ),
        ({"custom_fields": {"Erased": "erased"}}, "custom_fields.Erased: "),
        (
            {
                "complete_with": "complete",
                "evidence": {"enabled": True},
                "webhook": {
                    "id": "5f3b0b0e-3f0f-4a55-9e34-3f2a6a6f5c11",
                    "token": "env:WEBHOOK_SECRET",
                    "instead": True,
                },
            },
            "webhook: instead = true leaves the subtask to the workflow, and evidence is attached to it",
        ),
    ],
    ids=["evidence", "webhook", "webhook path", "webhook host", "fields", "instead"],
)
def test_settings_of_reports_that_do_not_go_together_are_named(trial: Trial, given: dict[str, Any], line: str) -> None:
    (said,) = trial.lines(spoilt(*(((*REPORT, name), value) for name, value in given.items())))
    assert said.startswith(f"sources.onetrust.report.{line}")
