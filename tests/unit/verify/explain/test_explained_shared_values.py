"""A shared value that came, but in another place or form than the settings say."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.explain.hints import hints_for
from connector.verify.explain.misplaced import Shared
from connector.verify.explain.mistakes import Side
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET: Final = "correct-horse-battery-staple+7/="
SECRETS: Final = (Secret("another-secret-of-the-source", "env:OTHER"), Secret(SECRET, "env:S"))
HEADER: Final = StaticHeader("X-Api-Key", SECRETS)
TOKEN: Final = StaticHeader("X-Api-Key", SECRETS, "Token ")
BEARER: Final = Bearer(SECRETS)
BASIC: Final = Basic("onetrust", SECRETS)
QUERY: Final = QueryParameter("token", SECRETS)


def pair(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


CASES: Final = {
    "another header": (HEADER, {"X-Key": SECRET}, "", "header X-Key", Side.CONNECTOR, 'name = "X-Key"'),
    "a bearer token": (
        HEADER,
        {"Authorization": f"Bearer {SECRET}"},
        "",
        "behind `Bearer `",
        Side.CONNECTOR,
        '"bearer"',
    ),
    "a prefix": (HEADER, {"X-Api-Key": f"Token {SECRET}"}, "", "behind `Token `", Side.CONNECTOR, 'prefix = "Token "'),
    "no prefix": (TOKEN, {"X-Api-Key": SECRET}, "", "header X-Api-Key", Side.CONNECTOR, 'prefix = ""'),
    "quotes": (HEADER, {"X-Api-Key": f'"{SECRET}"'}, "", "in quotes", Side.SENDER, "X-Api-Key"),
    "escapes": (HEADER, {"X-Api-Key": SECRET.replace("+", "%2B")}, "", "percent escapes", Side.SENDER, "X-Api-Key"),
    "base64": (
        HEADER,
        {"X-Api-Key": base64.b64encode(SECRET.encode()).decode()},
        "",
        "encoded as Base64",
        Side.SENDER,
        "X-Api-Key",
    ),
    "joined": (HEADER, {"X-Api-Key": f"x, {SECRET}"}, "", "more than once", Side.BETWEEN, "once"),
    "in the address": (
        HEADER,
        {},
        "token=correct-horse-battery-staple%2B7/=",
        "parameter token",
        Side.SENDER,
        "X-Api-Key",
    ),
    "bare": (BEARER, {"Authorization": SECRET}, "", "header Authorization", Side.SENDER, "Authorization: Bearer"),
    "another scheme": (BEARER, {"Authorization": f"Token {SECRET}"}, "", "behind `Token `", Side.SENDER, "Bearer"),
    "basic for bearer": (BEARER, {"Authorization": pair("", SECRET)}, "", "as a password", Side.SENDER, "Bearer"),
    "another user": (BASIC, {"Authorization": pair("admin", SECRET)}, "", "another user name", Side.SENDER, "user"),
    "user and password": (BASIC, {"Authorization": pair(SECRET, "")}, "", "as a user name", Side.SENDER, "password"),
    "another parameter": (QUERY, {}, "key=correct-horse-battery-staple%2B7/=", "parameter key", Side.SENDER, "token"),
    "a header": (QUERY, {"X-Token": SECRET}, "", "header X-Token", Side.SENDER, "parameter token"),
}


def call(headers: dict[str, str], query: str) -> Inbound:
    return Inbound("POST", f"https://connector.example.com/x?{query}", tuple(headers.items()), b"{}")


@pytest.mark.parametrize("name", CASES)
def test_a_value_in_the_wrong_place_is_found_there(name: str) -> None:
    check, headers, query, says, side, change = CASES[name]
    inbound = call(headers, query)
    with pytest.raises(Rejected) as caught:
        check.verify(inbound, NOW)
    hint, *_ = hints_for(check, caught.value, inbound, NOW).hints
    (mistake,) = hint.mistakes
    assert (hint.matches, hint.secret_id, mistake.side) == (True, "env:S", side)
    assert says in mistake.tried
    assert change in mistake.change
    assert SECRET not in mistake.tried + mistake.change


def test_a_value_that_came_twice_is_said_to_have_come_twice() -> None:
    inbound = Inbound("POST", "", (("X-Api-Key", SECRET), ("x-api-key", SECRET)), b"{}")
    with pytest.raises(Rejected) as caught:
        HEADER.verify(inbound, NOW)
    hint, *_ = hints_for(HEADER, caught.value, inbound, NOW).hints
    assert hint.mistakes[0].side is Side.BETWEEN
    assert hint.matches


@pytest.mark.parametrize("check", [HEADER, BEARER, BASIC, QUERY], ids=lambda check: type(check).__name__)
def test_a_value_that_never_came_is_not_invented(check: Shared) -> None:
    inbound = call({"X-Api-Key": "wrong" * 4, "Accept": "*/*"}, "a=b")
    with pytest.raises(Rejected) as caught:
        check.verify(inbound, NOW)
    found = hints_for(check, caught.value, inbound, NOW)
    assert not found.has_match
    assert found.tried


def test_a_value_of_which_the_time_is_over_is_said_so() -> None:
    ended = Secret(SECRET, "env:ENDED", not_after=NOW - timedelta(days=1))
    for check, headers in (
        (StaticHeader("X-Api-Key", (ended,)), {"X-Api-Key": SECRET}),
        (Basic("onetrust", (ended,)), {"Authorization": pair("onetrust", SECRET)}),
    ):
        inbound = call(headers, "")
        with pytest.raises(Rejected) as caught:
            check.verify(inbound, NOW)
        (hint,) = hints_for(check, caught.value, inbound, NOW).hints
        assert (hint.matches, hint.secret_id) == (True, "env:ENDED")
