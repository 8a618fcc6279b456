"""Places in a payload. Expressions follow the JMESPath specification."""

from __future__ import annotations

from typing import Any

import pytest

from connector.codes import Code
from connector.dialect.place import Place
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound

NO_HEADERS = Inbound("POST", "", (), b"")


def find(text: str, payload: Any, inbound: Inbound = NO_HEADERS) -> object:
    return Place(text).find(payload, inbound, "setting")


def refusal(text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        Place(text)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.detail


class TestPointers:
    @pytest.mark.parametrize(("pointer", "value"), [("/a~1b/1", "x"), ("/no", None), ("/a~1b/2", None), ("/zip", None)])
    def test_what_is_not_there_is_none(self, pointer: str, value: object) -> None:
        assert find(pointer, {"a/b": [None, "x"], "zip": None}) == value

    @pytest.mark.parametrize("pointer", ["/a~", "/a~2b", "/~x"])
    def test_a_stray_tilde_is_refused_with_the_mend(self, pointer: str) -> None:
        assert "~0 for a tilde" in refusal(pointer)


class TestExpressions:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("a.b", 1),
            ("a.missing", None),
            ("list[?k=='x'].v", [1, 2]),
            ("list[?k=='x'].v | [0]", 1),
            ("missing || a.b", 1),
            ("not_null(missing, a.b)", 1),
            ("kind == 'email' && value", "ana@example.com"),
            ("kind == 'phone' && value", False),
            ("contains(keys(@), 'kind')", True),
            ('"customer-id"', "c-1"),
        ],
    )
    def test_they_find_what_jmespath_finds(self, expression: str, value: object) -> None:
        payload = {
            "a": {"b": 1},
            "list": [{"k": "x", "v": 1}, {"k": "y", "v": 9}, {"k": "x", "v": 2}],
            "kind": "email",
            "value": "ana@example.com",
            "customer-id": "c-1",
        }
        assert find(expression, payload) == value

    @pytest.mark.parametrize(
        ("expression", "payload"),
        [
            ("length(a)", {"a": 5}),
            ("starts_with(a, 'x')", {"a": None}),
            ("sort(a)", {"a": ["canary", 1]}),
            ("to_number(a) == `1` && abs(a)", {"a": "1"}),
        ],
    )
    def test_one_that_does_not_fit_the_payload_is_a_422_that_names_the_setting_alone(
        self, expression: str, payload: Any
    ) -> None:
        with pytest.raises(Rejected) as caught:
            find(expression, payload)
        assert caught.value.code is Code.FIELD_INVALID
        assert caught.value.detail == "setting cannot be evaluated on this payload"
        assert caught.value.__context__ is None

    def test_a_payload_that_is_nested_too_deeply_is_a_422(self) -> None:
        payload: Any = {}
        for _ in range(100_000):
            payload = {"a": payload}
        with pytest.raises(Rejected):
            find("to_string(@)", payload)

    @pytest.mark.parametrize(
        ("expression", "mend"),
        [
            ("", "not a JMESPath expression"),
            ("customer-id", "from character 9; a name with other characters"),
            ("a.", "not a JMESPath expression from character 3"),
            ("`canary`", "a text in single ones"),
            ("$.a", "not a JMESPath expression"),
            ("nosuch(a)", "a function that JMESPath does not have"),
            ("a || [nosuch(@)]", "a function that JMESPath does not have"),
            ("length()", "the function length takes 1 argument(s)"),
            ("length(a, b)", "the function length takes 1 argument(s)"),
            ("not_null()", "the function not_null takes at least 1 argument(s)"),
        ],
    )
    def test_a_wrong_one_is_refused_at_once_with_the_mend_and_not_repeated(self, expression: str, mend: str) -> None:
        told = refusal(expression)
        assert mend in told
        assert "canary" not in told


class TestHeaders:
    INBOUND = Inbound("POST", "", (("X-Id", "d-1"), ("X-Two", "a"), ("x-two", "b")), b"")

    def test_a_header_is_found_without_regard_to_case(self) -> None:
        assert find("header:x-ID", {}, self.INBOUND) == "d-1"
        assert find("header:X-None", {}, self.INBOUND) is None

    def test_one_that_came_twice_is_a_422(self) -> None:
        with pytest.raises(Rejected, match="the header X-Two came more than once"):
            find("header:X-Two", {}, self.INBOUND)

    @pytest.mark.parametrize("text", ["header:", "header:a b", "header:X:Y"])
    def test_what_is_no_name_is_refused(self, text: str) -> None:
        assert "the header name is not valid" in refusal(text)


SHARED = [
    ("user.email", "user.email"),
    ("/user/email", "user.email"),
    ("user.email", "/user/email"),
    ('user."email"', "user.email"),
    ("user | email", "user.email"),
    ("to_string(user.email)", "user.email"),
    ("join('-', [id, user.email])", "user.email"),
    ("id || user.email", "user.email"),
    ("user.email == 'x' && id", "user.email"),
    ("emails[0]", "emails"),
    ("/emails/0", "emails"),
    ("emails[?main].value | [0]", "emails[?main].value"),
    ("fields.email", "fields"),
    ('user.fields."Customer ID"', "user.fields"),
    ("/fields/email", "fields"),
    ("to_string(user)", "user.email"),
    ("user.[email] | [0]", "user.email"),
    ("to_string(@)", "user.email"),
    ("items[0].v", "items[?k=='email'].v"),
    ("/items/0/v", "items[?k=='email'].v"),
    ("items[*].v | [0]", "items[?k=='email'].v"),
    ("items[?k=='ticket'].v | [0]", "items[*].v"),
    ("items[?k=='ticket'] | [0].v", "items[].v"),
    ("items[0:2].v | [0]", "items[0].v"),
    ("to_string(items)", "items[].v"),
    ("groups[0].items[1].v", "groups[].items[].v"),
    ("user.email", "user.*"),
    ("value", "kind == 'email' && value"),
    ("old", "not_null(new, old)"),
    ("old", "new || old"),
    ("header:X-User", "header:x-user"),
    ("people[-1].email", "people[0].email"),
    ("/people/0/email", "people[-1].email"),
    ("items[?k=='email'] | [0].v", "items[?k=='email'].v"),
]
APART = [
    ("user.id", "user.email"),
    ("request.id", "id"),
    ("data.request.id || data.id", "data.request.email"),
    ("items[?k=='ticket'].v | [0]", "items[?k=='email'].v"),
    ("items[0].id", "items[?k=='email'].v"),
    ("items[*].id | [0]", "items[*].v"),
    ("kind", "kind == 'email' && value"),
    ("kind", "kind && value"),
    ("sort_by(items, &email)[0].id", "email"),
    ("header:X-Id", "id"),
    ("header:X-Id", "header:X-User"),
    ("users", "user"),
]


@pytest.mark.parametrize(("one", "other"), SHARED)
def test_reading_the_same_is_seen_through_every_notation(one: str, other: str) -> None:
    assert Place(one).shares(Place(other))


@pytest.mark.parametrize(("one", "other"), APART)
def test_reading_something_else_is_no_sharing(one: str, other: str) -> None:
    assert not Place(one).shares(Place(other))


@pytest.mark.parametrize(
    ("text", "constant"),
    [("'x'", True), ("`1`", True), ("to_string(`1`)", True), ("a", False), ("@", False), ("/a", False), ("*", False)],
)
def test_what_says_the_same_of_every_payload_is_a_constant(text: str, constant: bool) -> None:
    assert Place(text).is_constant is constant


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        *(
            (one, True)
            for one in ("'x'", "a || 'x'", "'x' || a", "not_null(a, 'x')", "a && 'x'", "a == 'b' && `1` || c")
        ),
        *((one, True) for one in ("a | 'x'", "a || (b && 'x')", "a || to_string(`1`)")),
        *((one, False) for one in ("a", "/a", "a == 'b' && c", "a || b", "not_null(a, b)", "join('-', ['x', a])", "@")),
        *((one, False) for one in ("a[?k=='x'].v | [0]", "header:X-Id", "*.a", "a[0]", "a | b")),
    ],
)
def test_a_fixed_value_among_alternatives_is_seen(text: str, fixed: bool) -> None:
    assert Place(text).has_fixed_value is fixed


def test_equality_and_display_go_by_the_text() -> None:
    assert Place("a.b") == Place("a.b") != Place("/a/b")
    assert len({Place("a"), Place("a")}) == 1
    assert repr(Place("a.b")) == "Place('a.b')"
