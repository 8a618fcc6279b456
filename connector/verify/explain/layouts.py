"""What a signature header and a secret may mean other than the settings say: prefix, encoding, hash, way of writing.

Of a header only those readings are given that yield something of the length of a signature, so there are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.errors import Misconfigured, Rejected
from connector.private import Secret
from connector.verify.explain.mistakes import Mistake, Side
from connector.verify.grammar import Grammar, Pairs, Plain, SignatureEncoding, Versioned, decode
from connector.verify.key_format import MAX_SECRET_BYTES, SECRET_FORMATS, KeyFormat, make_key
from connector.verify.keys import Algorithm, DigestKey, MacKey
from connector.verify.scheme import Scheme

_PREFIXES: Final = (
    "",
    "sha1=",
    "sha256=",
    "sha384=",
    "sha512=",
    "SHA256=",
    "sha256:",
    "v0=",
    "v1=",
    "hmac-sha256=",
    "hmac ",
    "HMAC ",
    "Signature ",
    "Bearer ",
)
_OTHERS: Final[tuple[Grammar, ...]] = (
    *(Plain(prefix) for prefix in _PREFIXES),
    *(
        Pairs(item, time, separator)
        for item in ("v1", "v0", "h1", "s", "sig", "signature", "sha256")
        for time in ("t", "ts", "timestamp", None)
        for separator in (",", ";")
    ),
    Versioned(("v1",)),
    Versioned(("v1a",)),
)
_OF_LENGTH: Final = {
    20: Algorithm.HMAC_SHA1,
    32: Algorithm.HMAC_SHA256,
    48: Algorithm.HMAC_SHA384,
    64: Algorithm.HMAC_SHA512,
}
_RELATED: Final = (
    frozenset({Algorithm.ECDSA_P256, Algorithm.ECDSA_P256_RAW}),
    frozenset({Algorithm.ECDSA_P384, Algorithm.ECDSA_P384_RAW}),
    frozenset({Algorithm.RSA_PKCS1_SHA256, Algorithm.RSA_PSS_SHA256}),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a signature header."""

    mistakes: tuple[Mistake, ...]
    grammar: Grammar
    encoding: SignatureEncoding
    algorithm: Algorithm

    @property
    def holds_time(self) -> bool:
        return isinstance(self.grammar, Pairs) and self.grammar.timestamp is not None


def readings(scheme: Scheme, value: str) -> list[Reading]:
    """Return the ways to read a signature header, that of the settings first if it is one."""
    found: dict[tuple[object, ...], Reading] = {}
    for grammar in (scheme.grammar, *_OTHERS):
        try:
            parts = grammar.read(value)
        except Rejected:
            continue
        holds_time = isinstance(grammar, Pairs) and grammar.timestamp is not None
        if holds_time and not parts.timestamp:
            continue
        for encoding in (scheme.encoding, *SignatureEncoding):
            decoded = (decode(text, encoding) for text in parts.signatures)
            raw = tuple(one for one in decoded if one is not None)
            for algorithm in _algorithms(scheme.algorithm, raw):
                way = Reading(_differences(scheme, grammar, encoding, algorithm), grammar, encoding, algorithm)
                # The same bytes read in two ways: the way nearer to the settings came first.
                found.setdefault((raw, algorithm, holds_time), way)
    return list(found.values())


def _algorithms(configured: Algorithm, raw: tuple[bytes, ...]) -> list[Algorithm]:
    if not raw:
        return []
    if not configured.hash_name:
        return sorted(next((group for group in _RELATED if configured in group), {configured}))
    by_length = [_OF_LENGTH[len(one)] for one in raw if len(one) in _OF_LENGTH]
    if configured is Algorithm.DIGEST_SHA256:
        return [configured] * (Algorithm.HMAC_SHA256 in by_length)
    return list(dict.fromkeys(by_length))


def _differences(
    scheme: Scheme, grammar: Grammar, encoding: SignatureEncoding, algorithm: Algorithm
) -> tuple[Mistake, ...]:
    found = []
    if grammar != scheme.grammar:
        found.append(_of_grammar(grammar))
    if encoding is not scheme.encoding:
        change = f'Set `encoding = "{encoding}"`, or let the sender write {scheme.encoding}.'
        found.append(Mistake(f"a signature in {encoding}", Side.CONNECTOR, change))
    if algorithm is not scheme.algorithm:
        change = f'Set `algorithm = "{algorithm}"`, or let the sender use {scheme.algorithm}.'
        if algorithm is Algorithm.HMAC_SHA1:
            change = "Let the sender use SHA-256; SHA-1 is accepted only in the layouts of known senders."
        found.append(Mistake(f"the algorithm {algorithm}", Side.CONNECTOR, change))
    return tuple(found)


def _of_grammar(grammar: Grammar) -> Mistake:
    if isinstance(grammar, Plain):
        tried = f"the prefix `{grammar.prefix}`" if grammar.prefix else "no prefix"
        change = f'Set `prefix = "{grammar.prefix}"`, or let the sender write the prefix of the settings.'
    elif isinstance(grammar, Pairs):
        time = f', timestamp_item = "{grammar.timestamp}"' if grammar.timestamp else ""
        tried = f"items, the signature in `{grammar.signature}=`"
        change = (
            f'Set `layout_of_header = "pairs"`, `signature_item = "{grammar.signature}"{time}, '
            f'item_separator = "{grammar.separator}"`.'
        )
    else:
        tried = f"entries of the version {grammar.accepted[0]}"
        change = f'Set `layout_of_header = "versions"`, `versions = ["{grammar.accepted[0]}"]`.'
    return Mistake(tried, Side.CONNECTOR, change)


@dataclass(frozen=True, slots=True)
class Writing:
    """One way to take a configured secret."""

    mistakes: tuple[Mistake, ...]
    form: KeyFormat
    secret: Secret


def writings(scheme: Scheme, secret: Secret, algorithm: Algorithm) -> list[Writing]:
    """Return the ways to take a secret that lead to different keys, that of the settings first."""
    if not algorithm.hash_name:
        return [Writing((), scheme.key, secret)]
    found: dict[bytes, Writing] = {}
    for mistake, text in _texts(secret.reveal()):
        taken = Secret(text, secret.id, not_before=secret.not_before, not_after=secret.not_after)
        for form in (scheme.key, *sorted(SECRET_FORMATS)):
            try:
                key = make_key(taken, algorithm, form, 1, MAX_SECRET_BYTES)
            except Misconfigured:
                continue
            assert isinstance(key, MacKey | DigestKey)
            material = key.secret if isinstance(key, MacKey) else key.in_content
            mistakes = ((mistake,) if mistake else ()) + (() if form is scheme.key else (_of_form(form, scheme.key),))
            found.setdefault(material, Writing(mistakes, form, taken))
    return list(found.values())


def _texts(text: str) -> Iterator[tuple[Mistake | None, str]]:
    yield None, text
    yield (
        Mistake(
            "a line feed at the end of the sender's secret",
            Side.SENDER,
            "Store the secret there without a line end (`printf %s` instead of `echo`); here line ends are dropped.",
        ),
        f"{text}\n",
    )
    if (bare := text.strip().strip("\"'")) != text:
        change = "Store the secret here without quotes and blanks around it, as the sender has it."
        yield Mistake("the secret without quotes and blanks around it", Side.CONNECTOR, change), bare
    if text.startswith("whsec_"):
        change = "Let the sender decode what follows `whsec_` as Base64; or store it here without `whsec_`."
        yield Mistake("the secret without `whsec_`", Side.SENDER, change), text.removeprefix("whsec_")


def _of_form(form: KeyFormat, configured: KeyFormat) -> Mistake:
    said = "as plain text" if form is KeyFormat.UTF8 else f"decoded from {form}"
    meant = "takes the text as it is" if configured is KeyFormat.UTF8 else f"decodes it from {configured}"
    change = f'Set `key = "{form}"`; the check {meant}, the sender does not.'
    return Mistake(f"the secret {said}", Side.CONNECTOR, change)
