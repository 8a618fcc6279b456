"""What is said of each secret, as a table: settings and uses in, advice out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connector.policy.rotation import Held, Line, Standing, Use, key_report

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def held(name: str, group: str = "1", *, begins: float | None = None, ends: float | None = None) -> Held:
    """A secret that counts from so many days before now, until so many after."""
    begin = None if begins is None else ago(begins)
    return Held("s", "header", group, name, begin, None if ends is None else NOW + timedelta(days=ends))


def use(name: str, first: float, last: float, source: str = "s") -> Use:
    return Use(source, name, ago(first), ago(last))


def lines(*facts: Held | Use, publishing: frozenset[str] = frozenset()) -> dict[str, Line]:
    configured = [one for one in facts if isinstance(one, Held)]
    uses = [one for one in facts if isinstance(one, Use)]
    return {one.secret_id: one for one in key_report(configured, uses, publishing, NOW)}


NEW, OLD = held("new"), held("old")
ENDING = held("old", ends=12.5)
TABLE: list[tuple[str, list[Held | Use], dict[str, str]]] = [
    ("alone, never used", [OLD], {"old": "never used"}),
    ("alone, in use", [OLD, use("old", 400, 0)], {"old": "in use"}),
    ("alone, silent", [OLD, use("old", 400, 40)], {"old": "not used since 2026-10-21"}),
    (
        "the new one added, the sender not changed",
        [NEW, OLD, use("old", 400, 0)],
        {"new": "never used: the sender has not changed yet", "old": "still used: the sender has not changed yet"},
    ),
    ("a spare behind", [OLD, held("spare"), use("old", 400, 0)], {"old": "in use", "spare": "never used"}),
    (
        "once both are used, the order in the file does not matter",
        [OLD, NEW, use("old", 400, 8), use("new", 8, 0)],
        {"old": "no longer used since 2026-11-22: can be removed", "new": "in use"},
    ),
    (
        "the sender changed in part",
        [NEW, OLD, use("old", 400, 0), use("new", 3, 1)],
        {"old": "still used beside new: the sender has not changed everywhere yet", "new": "in use"},
    ),
    (
        "the sender changed in part, and the new one was used last",
        [NEW, OLD, use("old", 400, 1), use("new", 3, 0)],
        {"old": "still used beside new: the sender has not changed everywhere yet", "new": "in use"},
    ),
    (
        "the sender changed just now",
        [NEW, OLD, use("old", 400, 2), use("new", 2, 0)],
        {"old": "new is used in its place: can be removed if it is not used until 2026-12-05", "new": "in use"},
    ),
    (
        "the sender changed a while ago",
        [NEW, OLD, use("old", 400, 8), use("new", 8, 0)],
        {"old": "no longer used since 2026-11-22: can be removed", "new": "in use"},
    ),
    (
        "it ends and nothing newer is there",
        [ENDING, use("old", 400, 0)],
        {"old": "12 days until it ends and nothing newer has been used"},
    ),
    (
        "it ends tomorrow",
        [held("old", ends=1.5), use("old", 400, 0)],
        {"old": "1 day until it ends and nothing newer has been used"},
    ),
    (
        "it ends, and the newer one was never used",
        [NEW, ENDING, use("old", 400, 0)],
        {
            "old": "12 days until it ends and nothing newer has been used",
            "new": "never used: the sender has not changed yet",
        },
    ),
    (
        "it ends, and the newer one is in use",
        [NEW, ENDING, use("old", 400, 0), use("new", 3, 1)],
        {"old": "still used beside new: the sender has not changed everywhere yet", "new": "in use"},
    ),
    ("it ends in a far time", [held("old", ends=300), use("old", 400, 0)], {"old": "in use"}),
    ("ended and never used", [held("old", ends=-1)], {"old": "ended: can be removed"}),
    ("ended in peace", [held("old", ends=-1), use("old", 400, 20)], {"old": "ended: can be removed"}),
    (
        "ended while it was used",
        [held("old", ends=-1), use("old", 400, 1)],
        {"old": "ended, and was used until 2026-11-29: see whether the sender has changed, then remove it"},
    ),
    (
        "ended while it was used, and the newer one is used since",
        [NEW, held("old", ends=-1), use("old", 400, 1), use("new", 1, 0)],
        {"old": "ended: can be removed", "new": "in use"},
    ),
    ("still to come", [held("new", begins=-2.5)], {"new": "counts from 2026-12-03 00:00Z on"}),
    (
        "a spare in another check is no successor",
        [OLD, held("other", "2"), use("old", 400, 0)],
        {"old": "in use", "other": "never used"},
    ),
    (
        "two in turn, the later one unused since the earlier came back",
        [NEW, OLD, use("old", 400, 0), use("new", 30, 20)],
        {"old": "still used beside new: the sender has not changed everywhere yet", "new": "in use"},
    ),
    (
        "taken out while it was used",
        [NEW, use("new", 3, 0), use("gone", 400, 5)],
        {"gone": "no longer configured: deliveries made with it are refused", "new": "in use"},
    ),
]


@pytest.mark.parametrize(("name", "facts", "advice"), TABLE, ids=[name for name, _, _ in TABLE])
def test_the_advice_follows_from_settings_and_uses(name: str, facts: list[Held | Use], advice: dict[str, str]) -> None:
    assert {secret: line.advice for secret, line in lines(*facts).items()} == advice


@pytest.mark.parametrize(
    ("secret", "standing", "days"),
    [
        (held("x"), Standing.LIVE, None),
        (held("x", begins=0, ends=0), Standing.LIVE, 0),
        (held("x", ends=12.5), Standing.LIVE, 12),
        (held("x", ends=-0.001), Standing.ENDED, None),
        (held("x", begins=-1), Standing.NOT_YET, None),
        (held("x", begins=-1, ends=9), Standing.NOT_YET, 9),
    ],
)
def test_a_secret_counts_within_its_limits_both_included(secret: Held, standing: Standing, days: int | None) -> None:
    line = lines(secret)["x"]
    assert (line.standing, line.ends_in_days) == (standing, days)


def test_times_are_said_in_utc() -> None:
    begin = datetime(2026, 12, 24, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert lines(Held("s", "header", "1", "x", begin))["x"].advice == "counts from 2026-12-23 23:30Z on"


@pytest.mark.parametrize(("last", "recent"), [(0, True), (30, True), (30.01, False)])
def test_used_recently_means_within_thirty_days(last: float, recent: bool) -> None:
    assert lines(OLD, use("old", 400, last))["old"].used_recently is recent


class TestNotInTheFile:
    PUBLISHING = frozenset({"s"})

    def test_a_published_key_in_use_is_listed_as_published(self) -> None:
        line = lines(use("keys.example.com#k1", 9, 1), publishing=self.PUBLISHING)["keys.example.com#k1"]
        assert (line.standing, line.advice) == (Standing.PUBLISHED, "in use")

    def test_a_published_key_that_went_silent_is_said_to_be(self) -> None:
        line = lines(use("keys.example.com#k1", 90, 60), publishing=self.PUBLISHING)["keys.example.com#k1"]
        assert (line.standing, line.advice) == (Standing.PUBLISHED, "not used since 2026-10-01")

    def test_a_secret_that_was_taken_out_is_no_published_key(self) -> None:
        line = lines(use("env:OLD", 9, 1), publishing=self.PUBLISHING)["env:OLD"]
        assert line.standing is Standing.NOT_CONFIGURED

    def test_the_same_id_at_another_source_is_another_secret(self) -> None:
        found = key_report([OLD], [use("old", 9, 1, source="other")], (), NOW)
        assert [(one.source, one.standing) for one in found] == [
            ("other", Standing.NOT_CONFIGURED),
            ("s", Standing.LIVE),
        ]
