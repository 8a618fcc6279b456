"""The steps that a rule may name: one table from name to pure function.

A step returns the new value or raises `Unusable` with a reason; the value itself is never part of an exception.
Checking steps (`email`) return what they were given: what Lytics stores is the account's business, and a rule says by
further steps (`lower`, …) what form that is.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from connector.mapping.characters import QUOTE_PAIRS, is_invisible, is_odd_space, trim_edges
from connector.mapping.reasons import Reason, Unusable


@dataclass(frozen=True, slots=True)
class Context:
    """What steps may know beside the value.

    Attributes:
        region: ISO 3166-1 alpha-2 of phone numbers that are written without a country code.
    """

    region: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        hashes: the result is a digest, so nothing can follow and every check has to come before.
        needs_region: the rule set has to name a default region.
    """

    run: Callable[[str, Context], str]
    hashes: bool = False
    needs_region: bool = False


# Only what people write in numbers. The library looks for a number anywhere in a text, spells letters as keys and drops
# extensions: each of these could turn one person's entry into another person's number.
_PHONE: Final = re.compile(r"\+?[\d\s()./\u2010-\u2015-]+")


def _unquote(value: str, _: Context) -> str:
    while len(value) > 1 and (value[0], value[-1]) in QUOTE_PAIRS:
        value = trim_edges(value[1:-1])
    return value


def _strip_invisible(value: str, _: Context) -> str:
    # Control characters stay, to be refused: a line feed may stand between two values, and joining them makes a third.
    return "".join(" " if is_odd_space(one) else one for one in value if not is_invisible(one))


def _collapse_spaces(value: str, _: Context) -> str:
    return re.sub(" {2,}", " ", value)


def _digits_only(value: str, _: Context) -> str:
    return "".join(str(unicodedata.decimal(one)) for one in value if one.isdecimal())


def _email(value: str, _: Context) -> str:
    try:
        found = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Unusable(Reason.INVALID_EMAIL) from None
    # The library also understands look-alike spellings of a domain (full-width letters); Lytics does not.
    if value.rpartition("@")[2].lower() not in (found.domain, found.ascii_domain):
        raise Unusable(Reason.INVALID_EMAIL)
    return value


def _e164(value: str, context: Context) -> str:
    if not _PHONE.fullmatch(value):
        raise Unusable(Reason.INVALID_PHONE)
    try:
        number = phonenumbers.parse(value, context.region)
    except phonenumbers.NumberParseException:
        raise Unusable(Reason.INVALID_PHONE) from None
    if not phonenumbers.is_valid_number(number):
        raise Unusable(Reason.INVALID_PHONE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _sha256(value: str, _: Context) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _sha256_base64(value: str, _: Context) -> str:
    return b64encode(hashlib.sha256(value.encode()).digest()).decode()


def _sha1(value: str, _: Context) -> str:
    return hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest()


def _md5(value: str, _: Context) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        "trim": Step(lambda value, _: trim_edges(value)),
        "unquote": Step(_unquote),
        "strip_invisible": Step(_strip_invisible),
        "collapse_spaces": Step(_collapse_spaces),
        "nfc": Step(lambda value, _: unicodedata.normalize("NFC", value)),
        "nfkc": Step(lambda value, _: unicodedata.normalize("NFKC", value)),
        "lower": Step(lambda value, _: value.lower()),
        "upper": Step(lambda value, _: value.upper()),
        "digits_only": Step(_digits_only),
        "email": Step(_email),
        "e164": Step(_e164, needs_region=True),
        "sha256": Step(_sha256, hashes=True),
        "sha256_base64": Step(_sha256_base64, hashes=True),
        "sha1": Step(_sha1, hashes=True),
        "md5": Step(_md5, hashes=True),
    }
)
