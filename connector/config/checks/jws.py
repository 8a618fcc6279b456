"""The check of a token (JWS, JWT), as it is written in the file."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, JsonValue

from connector.config.checks.base import CheckSection, NothingPublished, require_effect
from connector.config.checks.jws_parts import KeyHeaderSection, RepeatedSection, TokenAlgorithmName
from connector.config.fields import HeaderNameOrNone, HeaderPrefix, HostName
from connector.config.secrets import Distinct, LiveSecretRef
from connector.model import KeyAddress
from connector.ports import Documents
from connector.verify.grammar import SignatureEncoding
from connector.verify.key_format import KeyFormat
from connector.verify.stamp import MAX_TOLERANCE_S
from connector.verify.token.body import BodyRule, Detached, Hashed, InToken, Repeated, Unsigned
from connector.verify.token.claims import MAX_LEEWAY_S, ClaimRules
from connector.verify.token.compact import PayloadForm
from connector.verify.token.configured_keys import static_keys
from connector.verify.token.jwk import TokenAlgorithm
from connector.verify.token.jws import Jws
from connector.verify.token.key_places import ByIssuer, Discovered, Locator, OneAddress
from connector.verify.token.key_sources import KeyForm, KeySource, PublishedKeys
from connector.verify.token.place import InBearer, InBody, InForm, InHeader, InMember, TokenPlace

_FORM: Final = "application/x-www-form-urlencoded"
_TOKEN_TYPES: Final = frozenset({"application/jwt", "application/jose", "text/plain"})
#: In an address, it stands for the issuer that a token names.
_ISSUER: Final = "{iss}"

Keys: TypeAlias = Annotated[tuple[LiveSecretRef, ...], Distinct]

# A setting → the setting that it belongs to, and the values of that with which it counts.
_BELONGS_TO: Final = {
    "header": ("place", {"header"}),
    "prefix": ("place", {"header"}),
    "member": ("place", {"member"}),
    "field": ("place", {"form"}),
    "secrets": ("keys_from", {"settings"}),
    "keys_url": ("keys_from", {"jwks", "pem"}),
    "keys_member": ("keys_from", {"jwks"}),
    "keys_headers": ("keys_from", {"jwks", "pem"}),
    "keys_hosts": ("keys_from", {"discovery"}),
    "body_claim": ("body", {"hash"}),
    "body_hash": ("body", {"hash"}),
    "body_encoding": ("body", {"hash"}),
    "body_members": ("body", {"members"}),
}


class JwsCheck(CheckSection):
    """A token: a JSON Web Signature in compact form, in most cases a JSON Web Token."""

    check: Literal["jws"] = Field(description="The kind of check: a token (JWS, JWT).")
    place: Literal["header", "bearer", "body", "member", "form"] = Field(
        description="Where the token stands: in a header; in `Authorization: Bearer`; the body is the token; in a "
        "member of the JSON body; in a field of a form."
    )
    header: HeaderNameOrNone = Field("", description="The header with the token.", examples=["x-sombra-token"])
    prefix: HeaderPrefix = Field("", description="What stands before the token in the header.")
    member: str = Field(
        "/token", description="The member with the token, as a JSON pointer; empty if the body is one JSON text."
    )
    field: str = Field("token", min_length=1, description="The form's field with the token.")
    algorithms: tuple[TokenAlgorithmName, ...] = Field(
        min_length=1,
        description="The only algorithms accepted: of public keys, or HS256, HS384 and HS512 of shared secrets; never "
        "both.",
        examples=[["ES256"]],
    )
    types: tuple[str, ...] = Field(
        (), description="What `typ` in the token's header may say; empty for anything.", examples=[["at+jwt"]]
    )
    keys_from: Literal["settings", "jwks", "pem", "discovery"] = Field(
        "settings",
        description="Where the keys are: in `secrets`; published as JWKs or as one PEM key at `keys_url`; where the "
        "issuer says (OpenID Connect Discovery).",
    )
    secrets: Keys = Field(
        (),
        description="References to all keys that are valid now: public keys as PEM text or JWK; shared secrets as text "
        "or JWK, at least as long as the hash.",
    )
    secret_format: Literal["utf8", "hex", "base64", "base64url"] = Field(
        "utf8", description="How shared secrets are written that are not JWKs."
    )
    keys_url: str = Field(
        "",
        description="Where the keys are published; `{iss}` in it stands for the issuer, which then has to be one of "
        "`issuers`.",
        examples=["https://login.example.com/jwks.json", "https://{iss}/dsrdelete.json"],
    )
    keys_member: str = Field("/keys", description="Where the list of JWKs stands in the document, as a JSON pointer.")
    keys_headers: tuple[KeyHeaderSection, ...] = Field((), description="Headers that the publisher of the keys wants.")
    keys_hosts: tuple[HostName, ...] = Field(
        (), description="Hosts, beside the issuer's own, on which a discovered issuer may publish its keys."
    )
    issuers: tuple[str, ...] = Field((), description="The issuers that are accepted (claim `iss`); empty for any.")
    audiences: tuple[str, ...] = Field(
        (),
        description="Your own names, one of which the token has to hold (claim `aud`); empty refuses tokens that name "
        "any.",
    )
    claims: dict[str, JsonValue] = Field({}, description="Further claims with the only value that is accepted.")
    required_claims: tuple[str, ...] = Field((), description="Further claims that have to be there.")
    expiry: Literal["required", "if_present"] = Field(
        "required", description="Whether the claim `exp` has to be there; if it is, it counts."
    )
    max_age_s: int | None = Field(
        None,
        ge=1,
        le=MAX_TOLERANCE_S,
        description="How far, in seconds, the claim `iat` may lie in the past; it then has to be there. Left out, the "
        "age of a token is not limited.",
    )
    future_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, `iat` may lie in the future; with `max_age_s`."
    )
    leeway_s: int = Field(
        60, ge=0, le=MAX_LEEWAY_S, description="By how much, in seconds, the clocks may differ, for `exp` and `nbf`."
    )
    inner_claim: str = Field(
        "",
        description="A claim that holds another token, of an earlier sender, that has to pass too.",
        examples=["idJWT"],
    )
    single_use: bool = Field(
        True,
        description="Whether each token belongs to one delivery; false for access tokens, which are used for many.",
    )
    body: Literal["token", "hash", "detached", "detached-unencoded", "members", "unsigned"] = Field(
        description="What the token says of the body: its payload is the content; a claim holds a hash; the body is "
        "the detached payload, signed with or without Base64url; claims repeat some members; nothing, so that the body "
        "rests on TLS."
    )
    body_claim: str = Field("", description="The claim with the hash of the body.", examples=["request_body_sha256"])
    body_hash: Literal["sha256", "sha384", "sha512"] = Field("sha256", description="The hash of the body.")
    body_encoding: Literal["hex", "base64", "base64url"] = Field("hex", description="How the hash is written.")
    body_members: tuple[RepeatedSection, ...] = Field(
        (), description="Which claims repeat which members of the body; the rest of the body rests on TLS."
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return {"header": (self.header,), "bearer": ("Authorization",)}.get(self.place, ())

    @property
    def media_types(self) -> frozenset[str]:
        return {"body": _TOKEN_TYPES, "form": frozenset({_FORM})}.get(self.place, frozenset())

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return () if self.keys_from == "settings" else self._locator(NothingPublished()).addresses

    def verifier(self, documents: Documents) -> Jws:
        require_effect(self, self._effects())
        algorithms = frozenset(TokenAlgorithm(one) for one in self.algorithms)
        return Jws(
            place=self._place(),
            algorithms=algorithms,
            keys=self._keys(algorithms, documents),
            claims=ClaimRules(
                issuers=self.issuers,
                audiences=self.audiences,
                exact=self.claims,
                required=self.required_claims,
                expires=self.expiry == "required",
                max_age_s=self.max_age_s,
                future_s=self.future_s,
                leeway_s=self.leeway_s,
            ),
            body=self._body(),
            kinds=frozenset(self.types),
            inner=self.inner_claim,
            single_use=self.single_use,
        )

    def _effects(self) -> dict[str, tuple[bool, str]]:
        of_choices = {
            name: (getattr(self, owner) in values, f"{owner} = {' or '.join(sorted(values))}")
            for name, (owner, values) in _BELONGS_TO.items()
        }
        shared = self.keys_from == "settings" and any(TokenAlgorithm(one).is_shared for one in self.algorithms)
        return of_choices | {
            "future_s": (self.max_age_s is not None, "max_age_s"),
            "secret_format": (shared, "secrets of HS256, HS384 and HS512"),
        }

    def _place(self) -> TokenPlace:
        if self.place == "header":
            return InHeader(self.header, self.prefix)
        if self.place == "member":
            return InMember(self.member)
        if self.place == "form":
            return InForm(self.field)
        return InBearer() if self.place == "bearer" else InBody()

    def _keys(self, algorithms: frozenset[TokenAlgorithm], documents: Documents) -> KeySource:
        if self.keys_from == "settings":
            return static_keys(self.secrets, algorithms, KeyFormat(self.secret_format))
        form = KeyForm.PEM if self.keys_from == "pem" else KeyForm.JWKS
        return PublishedKeys(documents, self._locator(documents), form, self.keys_member)

    def _locator(self, documents: Documents) -> Locator:
        if self.keys_from == "discovery":
            return Discovered(self.issuers, documents, frozenset(self.keys_hosts))
        headers = tuple((one.name, one.value()) for one in self.keys_headers)
        if _ISSUER not in self.keys_url:
            return OneAddress(KeyAddress(self.keys_url, headers))
        return ByIssuer({one: KeyAddress(self.keys_url.replace(_ISSUER, one), headers) for one in self.issuers})

    def _body(self) -> BodyRule:
        if self.body == "hash":
            return Hashed(self.body_claim, self.body_hash, SignatureEncoding(self.body_encoding))
        if self.body == "members":
            return Repeated(tuple((one.claim, one.member) for one in self.body_members))
        if self.body == "unsigned":
            return Unsigned()
        return InToken() if self.body == "token" else Detached(PayloadForm(self.body))
