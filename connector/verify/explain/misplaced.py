"""Looks for a shared value that came, but not where or how the settings say: other header, prefix, encoding, user."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias
from urllib.parse import unquote

from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.explain.mistakes import Hint, Mistake, Search, Side, may_be_shown
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader, query_pairs

Shared: TypeAlias = StaticHeader | Bearer | Basic | QueryParameter

MAX_HINTS: Final = 3
_MAX_PLACES: Final = 200
_WORDS: Final = ("Bearer ", "bearer ", "Token ", "token ", "Basic ", "ApiKey ", "Secret ")


def search_shared(check: Shared, inbound: Inbound) -> Search:
    """Return where the value came instead."""
    secrets = check.passwords if isinstance(check, Basic) else check.secrets
    places = list(islice(_places(inbound), _MAX_PLACES))
    hits = [
        _hint(check, place, how, secret)
        for place, value in places
        for how, text in _readings(value)
        for secret in secrets
        # Everything is compared, whatever fits before.
        if secret.matches(text)
    ]
    tried = f"{len(places)} headers and parameters, each as it is, without a prefix or quotes, and decoded"
    return Search(tuple(dict.fromkeys(hits))[:MAX_HINTS], tried)


def _places(inbound: Inbound) -> Iterator[tuple[str, str]]:
    for name, value in inbound.headers:
        if may_be_shown(name):
            yield f"header {name}", value
    try:
        pairs = query_pairs(inbound)
    except Rejected:
        return
    for name, value in pairs:
        if may_be_shown(name):
            yield f"parameter {name}", value


def _readings(value: str) -> Iterator[tuple[str, str]]:
    yield "", value
    for word in _WORDS:
        if value.startswith(word):
            rest = value.removeprefix(word)
            yield f" behind `{word}`", rest
            if word == "Basic ":
                user, colon, password = _decoded(rest).partition(":")
                yield " as a password", password if colon else rest
                yield " as a user name", user
    yield " in quotes or between blanks", value.strip().strip("\"'")
    yield " with percent escapes", unquote(value)
    yield " encoded as Base64", _decoded(value)
    for part in value.split(","):
        yield " more than once", part.strip()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _hint(check: Shared, place: str, how: str, secret: Secret) -> Hint:
    side, change = Side.SENDER, f"Send it as {_wanted(check)}, or choose the check that fits what is sent."
    kind, _, name = place.partition(" ")
    own_header = isinstance(check, StaticHeader) and kind == "header" and name.lower() == check.name.lower()
    own_basic = isinstance(check, Basic) and how == " as a password"
    if how == " more than once" or (own_header and not how and isinstance(check, StaticHeader) and not check.prefix):
        side, change = Side.BETWEEN, "Send it once; something in between adds or joins headers."
        how = " more than once"
    elif own_basic:
        how, change = " with another user name", "Send the user name that `user` of the check holds, or change `user`."
    elif own_header and (not how or how.startswith(" behind")):
        side, change = Side.CONNECTOR, f'Set `prefix = "{how[9:-1]}"`, or let the sender write that of the settings.'
    elif isinstance(check, StaticHeader) and kind == "header" and not how:
        side, change = Side.CONNECTOR, f'Set `name = "{name}"`, or let the sender use {check.name}.'
    elif how == " behind `Bearer `" and name.lower() == "authorization":
        side, change = Side.CONNECTOR, f'Use `check = "bearer"`, or let the sender send it as {_wanted(check)}.'
    return Hint((Mistake(f"the value in the {place}{how}", side, change),), matches=True, secret_id=secret.id)


def _wanted(check: Shared) -> str:
    match check:
        case StaticHeader():
            return f"the header {check.name}" + (f" behind `{check.prefix}`" if check.prefix else "")
        case Bearer():
            return "`Authorization: Bearer`"
        case Basic():
            return "the password in `Authorization: Basic`"
        case _:
            return f"the parameter {check.name}"
