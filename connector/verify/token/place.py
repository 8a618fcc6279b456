"""Where in a delivery the token stands. It has to be there exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.pointer import NOTHING, at_pointer, is_pointer
from connector.verify.base import malformed, read_form, require_header_name, require_header_text
from connector.verify.shared import after_scheme
from connector.verify.strict_json import read_json


class TokenPlace(Protocol):
    """Finds the token; `where` is how refusals call its place."""

    @property
    def where(self) -> str: ...

    @property
    def is_in_body(self) -> bool:
        """Whether the body carries the token, so that the token cannot vouch for the body as a whole."""
        ...

    @property
    def leaves_body(self) -> bool:
        """Whether there is a JSON body beside the token, or around it."""
        ...

    def find(self, inbound: Inbound) -> str:
        """Return the token's text, or raise `Rejected`."""
        ...


@dataclass(frozen=True, slots=True)
class InHeader:
    """In a header, behind an optional prefix that has to match exactly."""

    name: str
    prefix: str = ""

    is_in_body: ClassVar[bool] = False
    leaves_body: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_header_name(self.name, "jws")
        require_header_text(f"{self.prefix}.", "jws: the prefix")

    @property
    def where(self) -> str:
        return f"header {self.name}"

    def find(self, inbound: Inbound) -> str:
        value = inbound.only(self.name)
        if not value.startswith(self.prefix):
            raise malformed(self.name, "the prefix is missing")
        return value.removeprefix(self.prefix)


@dataclass(frozen=True, slots=True)
class InBearer:
    """In `Authorization: Bearer` (RFC 6750 section 2.1)."""

    is_in_body: ClassVar[bool] = False
    leaves_body: ClassVar[bool] = True
    where: ClassVar[str] = "header Authorization"

    def find(self, inbound: Inbound) -> str:
        return after_scheme(inbound, "bearer")


@dataclass(frozen=True, slots=True)
class InBody:
    """The body is the token, to the last byte."""

    is_in_body: ClassVar[bool] = True
    leaves_body: ClassVar[bool] = False
    where: ClassVar[str] = "the body"

    def find(self, inbound: Inbound) -> str:
        if not inbound.body.strip():
            raise Rejected(Code.CREDENTIAL_MISSING, self.where)
        return _ascii(inbound.body, self.where)


@dataclass(frozen=True, slots=True)
class InMember:
    """A text in a JSON body, named by a JSON pointer."""

    pointer: str

    is_in_body: ClassVar[bool] = True
    leaves_body: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not is_pointer(self.pointer):
            raise Misconfigured(Code.CONFIG_INVALID, "jws: the member with the token is a JSON pointer such as /token")

    @property
    def where(self) -> str:
        return f"member {self.pointer or 'of the whole body'}"

    def find(self, inbound: Inbound) -> str:
        document = read_json(inbound.body)
        if document is NOTHING:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{self.where}: the body is not JSON with unique names in UTF-8")
        found = at_pointer(document, self.pointer)
        if found in (NOTHING, None, ""):
            raise Rejected(Code.CREDENTIAL_MISSING, self.where)
        if not isinstance(found, str) or not found.isascii():
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{self.where}: it is not a token")
        return found


@dataclass(frozen=True, slots=True)
class InForm:
    """A field of a form (`application/x-www-form-urlencoded`)."""

    name: str

    is_in_body: ClassVar[bool] = True
    leaves_body: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.name:
            raise Misconfigured(Code.CONFIG_INVALID, "jws: name the field with the token")

    @property
    def where(self) -> str:
        return f"field {self.name}"

    def find(self, inbound: Inbound) -> str:
        pairs = read_form(_ascii(inbound.body, self.where))
        if pairs is None:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{self.where}: the form cannot be read")
        found = [value for name, value in pairs if name == self.name]
        if not any(found):
            raise Rejected(Code.CREDENTIAL_MISSING, self.where)
        if len(found) > 1:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{self.where} came more than once")
        return found[0]


def _ascii(body: bytes, where: str) -> str:
    if not body.isascii():
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"{where}: it holds bytes beyond ASCII")
    return body.decode("ascii")
