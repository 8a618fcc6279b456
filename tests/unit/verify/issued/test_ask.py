"""A request for a token as clients write it (RFC 6749), and what is none."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus, urlencode

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.verify.token.ask import TokenRequest, read_token_request

SECRET = "a%2Bsecret+with&odd=characters"
FORM = {"grant_type": "client_credentials", "client_id": "onetrust", "client_secret": SECRET}


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def read(body: str | bytes, *authorization: str, query: str = "") -> TokenRequest:
    headers = tuple(("Authorization", one) for one in authorization)
    raw = body if isinstance(body, bytes) else body.encode()
    return read_token_request(Inbound("POST", "", headers, raw), query)


def code(body: str | bytes, *authorization: str, query: str = "") -> Code:
    with pytest.raises(Rejected) as caught:
        read(body, *authorization, query=query)
    assert SECRET not in str(caught.value)
    return caught.value.code


def pairs(asked: TokenRequest) -> list[tuple[str, str]]:
    return [(one.client_id, one.secret.reveal()) for one in asked.credentials]


def test_credentials_in_the_form() -> None:
    asked = read(urlencode({**FORM, "scope": "deliver", "resource": "whatever"}))
    assert (pairs(asked), asked.grant_type, asked.scope) == ([("onetrust", SECRET)], "client_credentials", "deliver")


def test_a_parameter_without_a_value_is_as_good_as_none() -> None:
    assert read(urlencode({**FORM, "scope": ""})).scope == ""
    assert code(urlencode({**FORM, "client_secret": ""})) is Code.CREDENTIAL_MISSING


def test_credentials_in_basic_with_escapes_or_without() -> None:
    form = "grant_type=client_credentials"
    asked = read(form, basic(quote_plus("the client"), quote_plus(SECRET)))
    assert ("the client", SECRET) in pairs(asked)
    # Many clients leave the escapes out; then a plus sign is one.
    assert ("onetrust", SECRET) in pairs(read(form, basic("onetrust", SECRET)))
    for plain in ("plain:secret", "100%ff-no-escape"):
        assert pairs(read(form, basic("onetrust", plain))) == [("onetrust", plain)]


def test_a_client_may_name_itself_in_the_form_beside_basic() -> None:
    form = "grant_type=client_credentials&client_id="
    assert read(f"{form}onetrust", basic("onetrust", "secret")).credentials
    assert code(f"{form}other", basic("onetrust", "secret")) is Code.TOKEN_REQUEST_INVALID


@pytest.mark.parametrize(
    ("body", "authorization", "expected"),
    [
        (urlencode(FORM), [basic("onetrust", SECRET)], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM | {"grant_type": ""}), [], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM) + "&client_id=onetrust", [], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM) + "&scope=a&scope=b", [], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM) + "&x=%ff", [], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM) + "&a" * 1_001, [], Code.TOKEN_REQUEST_INVALID),
        (urlencode(FORM).encode() + "&x=é".encode(), [], Code.TOKEN_REQUEST_INVALID),
        ("", [], Code.CREDENTIAL_MISSING),
        ("grant_type=client_credentials&client_id=onetrust", [], Code.CREDENTIAL_MISSING),
        ("grant_type=client_credentials&client_secret=x", [], Code.CREDENTIAL_MISSING),
        ("grant_type=client_credentials", [""], Code.CREDENTIAL_MISSING),
        ("grant_type=client_credentials", ["Bearer " + SECRET], Code.CREDENTIAL_MALFORMED),
        ("grant_type=client_credentials", ["Basic %%%"], Code.CREDENTIAL_MALFORMED),
        ("grant_type=client_credentials", [basic("onetrust", "a"), basic("onetrust", "a")], Code.CREDENTIAL_MALFORMED),
        ("grant_type=client_credentials", [basic("", "secret")], Code.CREDENTIAL_MALFORMED),
        ("grant_type=client_credentials", [basic("onetrust", "")], Code.CREDENTIAL_MALFORMED),
        (
            "grant_type=client_credentials",
            ["Basic " + base64.b64encode(b"nocolon").decode()],
            Code.CREDENTIAL_MALFORMED,
        ),
        ("grant_type=client_credentials", ["Basic " + base64.b64encode(b"a:\xff").decode()], Code.CREDENTIAL_MALFORMED),
    ],
)
def test_what_is_no_request_for_a_token(body: str | bytes, authorization: list[str], expected: Code) -> None:
    assert code(body, *authorization) is expected


def test_nothing_is_taken_from_the_address() -> None:
    assert code(urlencode(FORM), query=urlencode(FORM)) is Code.TOKEN_REQUEST_INVALID


def test_a_repr_shows_no_secret() -> None:
    assert SECRET not in repr(read(urlencode(FORM)))
