"""HTTP message signatures (RFC 9421) over method, target and a digest of the body that is computed again (RFC 9530).

A message may carry several signatures, of several parties. They are chosen by their key and tag, which are signed, and
never by their label, which is not. Algorithms come from the settings; one that a message names has to be the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.verify.base import malformed, pick_live
from connector.verify.grammar import MAX_SIGNATURES
from connector.verify.message.components import Component, component, is_covered
from connector.verify.message.http_fields import Member, read_dictionary, require_digest
from connector.verify.message.key import SIGNATURE, SIGNATURE_INPUT, Candidate, SenderKey
from connector.verify.message.key_set import KeySet
from connector.verify.stamp import Tolerance

DEFAULT_COMPONENTS: Final = ("@method", "@target-uri", "content-digest")

_CHECK: Final = "http-message-signature"
# RFC 9421 section 2.3.
_TEXTS: Final = frozenset({"alg", "keyid", "nonce", "tag"})
_TIMES: Final = frozenset({"created", "expires"})
_MAX_COMPONENTS: Final = 64
# RFC 9421 section 2.5: the last line of what is signed.
_PARAMETERS: Final = b'"@signature-params":'
# What only a signature with the right key is refused for; its sender is the one who can mend it.
_LAST: Final = frozenset(
    {
        Code.TIMESTAMP_TOO_OLD,
        Code.TIMESTAMP_IN_FUTURE,
        Code.TIMESTAMP_MALFORMED,
        Code.TIMESTAMP_MISSING,
        Code.BODY_DIGEST_WRONG,
        Code.CREDENTIAL_EXPIRED,
    }
)


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """One good signature of a known key over at least these components; the payload is the body.

    Attributes:
        components: what a signature has to cover, in the notation of RFC 9421. `@target-uri` is covered as well by
            `@authority` with `@path` and `@query`, or with `@request-target`.
        window: how far `created` may lie in the past and in the future, in seconds. `expires` counts to the second.
        tag: what a signature has to carry as its `tag`; empty for any.
        published: where further keys are published.

    Raises:
        Misconfigured: no key, two of one id, a component or tag that a request cannot have, or no `content-digest`.
    """

    keys: tuple[SenderKey, ...]
    components: tuple[str, ...] = DEFAULT_COMPONENTS
    window: Tolerance = field(default_factory=Tolerance)
    tag: str = ""
    published: KeySet | None = None
    _required: tuple[Component, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(self.keys))
        object.__setattr__(self, "components", tuple(self.components))
        object.__setattr__(self, "_required", tuple(component(text) for text in self.components))
        if not self.keys and self.published is None:
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: give at least one key, or where keys are published")
        if len({key.id for key in self.keys}) != len(self.keys):
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: give every key id once, with all its secrets")
        if not (self.tag.isascii() and self.tag.isprintable()):
            # RFC 9651 section 3.3.3: a text of a structured field is printable ASCII.
            raise Misconfigured(Code.CONFIG_INVALID, f"{_CHECK}: the tag has to be printable ASCII, or none has it")
        if not is_covered(component("content-digest"), frozenset(self._required)):
            raise Misconfigured(
                Code.CONFIG_INVALID, f"{_CHECK}: content-digest has to be covered, or anybody may alter the body"
            )

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        candidates = self._tagged(signatures_of(inbound))
        refusals: list[Rejected] = []
        for pairs in self._with_keys(candidates, refusals, now):
            verdicts: list[Verified] = []
            for candidate, key in pairs:
                # All are tried, so that the time taken does not tell which one was good.
                try:
                    verdicts.append(self._judge(candidate, key, inbound, now))
                except Rejected as error:
                    refusals.append(error)
            if verdicts:
                return verdicts[0]
        if not refusals:
            raise Rejected(Code.KEY_UNKNOWN, f"header {SIGNATURE_INPUT}: no signature names a key that is known")
        raise min(refusals, key=lambda error: error.code not in _LAST) from None

    def _tagged(self, candidates: list[Candidate]) -> list[Candidate]:
        tagged = [one for one in candidates if not self.tag or one.parameters.get("tag") == self.tag]
        if not tagged:
            raise Rejected(Code.CLAIM_WRONG, f"header {SIGNATURE_INPUT}: no signature has the tag of the settings")
        return tagged

    def _with_keys(
        self, candidates: list[Candidate], refusals: list[Rejected], now: datetime
    ) -> Iterator[list[tuple[Candidate, SenderKey]]]:
        """Give the signatures with their keys: the configured ones, then those published, then those published by now.

        Each only if nothing before was good; the keys are not read again if one of them made a signature after all.
        """
        configured = {key.id: key for key in self.keys}
        yield _paired(candidates, configured.get)
        others = [one for one in candidates if one.parameters.get("keyid") not in {None, *configured}]
        keys = self.published
        if keys is None or not others:
            return
        document = keys.read(now)
        yield _paired(others, partial(keys.key, document))
        if any(error.code in _LAST for error in refusals):
            return
        renewed = keys.read_again(document, now)
        if renewed is not None:
            yield _paired(others, partial(keys.key, renewed))

    def _judge(self, candidate: Candidate, key: SenderKey, inbound: Inbound, now: datetime) -> Verified:
        named = candidate.parameters.get("alg", key.algorithm)
        if named != key.algorithm:
            raise Rejected(Code.ALGORITHM_NOT_ALLOWED, f"header {SIGNATURE_INPUT}: alg is not that of key {key.id}")
        covered = frozenset(Component.of(name, more) for name, more in candidate.components)
        for one in self._required:
            if not is_covered(one, covered):
                raise Rejected(Code.CLAIM_WRONG, f"header {SIGNATURE_INPUT}: the signature does not cover {one.name}")
        matching, base = key.check(candidate, inbound)
        used = pick_live(matching, now, f"header {SIGNATURE}")
        # Only now: the digest and the times count once they are known to be the sender's.
        require_digest(inbound)
        created, expires = (self._time(candidate, name) for name in ("created", "expires"))
        if created is None:
            raise Rejected(Code.TIMESTAMP_MISSING, f"header {SIGNATURE_INPUT}: created")
        self.window.require_inside(created, now)
        if expires is not None and now > expires:
            raise Rejected(Code.TIMESTAMP_TOO_OLD, f"header {SIGNATURE_INPUT}: expires has passed")
        end = self.window.end_of(created)
        return Verified(
            payload=inbound.body,
            principal=_CHECK,
            secret_ids=(used.id,),
            sender_time=created,
            replay_key=_replay_key(candidate, key, base, created),
            replay_until=end if expires is None else min(end, expires),
        )

    def _time(self, candidate: Candidate, name: str) -> datetime | None:
        value = candidate.parameters.get(name)
        if value is None:
            return None
        try:
            return self.window.read(str(value))
        except Rejected as error:
            raise Rejected(error.code, f"header {SIGNATURE_INPUT}: {name}: {error.detail}") from None


def _paired(
    candidates: list[Candidate], key_of: Callable[[str], SenderKey | None]
) -> list[tuple[Candidate, SenderKey]]:
    keyed = ((one, one.parameters.get("keyid")) for one in candidates)
    found = [(one, key_of(key_id)) for one, key_id in keyed if isinstance(key_id, str)]
    return [(one, key) for one, key in found if key is not None]


def signatures_of(inbound: Inbound) -> list[Candidate]:
    """Return all signatures of the message, or refuse it: a header of which a part cannot be read is not half read."""
    _, inputs = read_dictionary(inbound, SIGNATURE_INPUT)
    text, signatures = read_dictionary(inbound, SIGNATURE)
    if inputs.keys() != signatures.keys():
        raise malformed(SIGNATURE, f"it has not the labels of {SIGNATURE_INPUT}")
    if len(inputs) > MAX_SIGNATURES:
        raise malformed(SIGNATURE, f"it holds more than {MAX_SIGNATURES} signatures")
    return [_candidate(label, member, signatures[label][0], text) for label, member in inputs.items()]


def _candidate(label: str, member: Member, signature: object, text: str) -> Candidate:
    listed, parameters = member
    # Encoding again settles what a parser of RFC 9651 lets pass: no padding, stray bits in the last character.
    if not isinstance(signature, bytes) or f":{base64.b64encode(signature).decode()}:" not in text:
        raise malformed(SIGNATURE, "a member is not a byte sequence in Base64")
    if not isinstance(listed, list) or len(listed) > _MAX_COMPONENTS:
        raise malformed(SIGNATURE_INPUT, f"a member is not a list of at most {_MAX_COMPONENTS} components")
    if not all(isinstance(name, str) for name, _ in listed):
        raise malformed(SIGNATURE_INPUT, "a component is not named by text")
    _require_known(parameters)
    return Candidate(label, listed, parameters, signature)


def _require_known(parameters: Mapping[str, object]) -> None:
    for name, value in parameters.items():
        if name in _TIMES and type(value) is not int:  # True is an int as well
            raise Rejected(Code.TIMESTAMP_MALFORMED, f"header {SIGNATURE_INPUT}: {name} is not a whole number")
        if name in _TEXTS and not isinstance(value, str):
            raise malformed(SIGNATURE_INPUT, f"{name} is not text")
        if name not in _TIMES | _TEXTS:
            raise malformed(SIGNATURE_INPUT, "a signature has a parameter that RFC 9421 does not know")


def _replay_key(candidate: Candidate, key: SenderKey, base: bytes, created: datetime) -> str:
    nonce = candidate.parameters.get("nonce")
    if nonce:
        return f"nonce:{hashlib.sha256(f'{key.id} {nonce}'.encode()).hexdigest()}"
    # Without the parameters of the signature: of a message signed with two keys, as during a rotation, either signature
    # can be taken away, and it is still the same delivery.
    parts = sorted(line for line in base.split(b"\n") if not line.startswith(_PARAMETERS))
    told = b"\n".join((created.isoformat().encode(), *parts))
    return f"sha256:{hashlib.sha256(told).hexdigest()}"
