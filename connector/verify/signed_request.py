"""Meta's `signed_request`: a form field with a signature and the JSON that it covers, as in its data deletion callback.

Meta, "Data Deletion Request Callback": two Base64url parts without padding, joined by a full stop; the first is the
HMAC-SHA256, keyed with the app secret, of the second as it is written. Nothing else of the form is signed or used.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import pick_live, read_form, require_secrets
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.stamp import MAX_TOLERANCE_S, Tolerance
from connector.verify.strict_json import read_object

DEFAULT_FIELD: Final = "signed_request"

#: The only value of `algorithm` that Meta documents.
_ALGORITHM: Final = "HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The form field, signed with one of the app secrets.

    The payload is the JSON in the field. Its `expires` is the end of the person's access token, not of the message, and
    is not judged.

    Attributes:
        window: how far `issued_at` may lie in the past and in the future, in seconds. Meta does not promise it: without
            it a recorded delivery is good for as long as the app secret.
        time_required: whether a message without `issued_at` is refused.

    Raises:
        Misconfigured: no field, no secret, or a short one.
    """

    secrets: tuple[Secret, ...]
    form_field: str = DEFAULT_FIELD
    window: Tolerance = field(default_factory=lambda: Tolerance(past_s=MAX_TOLERANCE_S))
    time_required: bool = False

    def __post_init__(self) -> None:
        if not self.form_field:
            raise Misconfigured(Code.CONFIG_INVALID, "signed-request: name the form field")
        object.__setattr__(self, "secrets", require_secrets(self.secrets, "signed-request"))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        where = f"field {self.form_field}"
        signature, encoded, payload = self._parts(inbound.body)
        # Every secret is compared, so that the time taken does not tell which one it was.
        matching = [
            secret
            for secret in self.secrets
            if hmac.compare_digest(signature, hmac.digest(secret.reveal_bytes(), encoded.encode(), hashlib.sha256))
        ]
        used = pick_live(matching, now, where)
        message = read_object(payload)
        if message is None:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{where}: it holds no JSON object of which every name is unique")
        if message.get("algorithm") != _ALGORITHM:
            raise Rejected(Code.ALGORITHM_NOT_ALLOWED, f"{where}: algorithm is not {_ALGORITHM}")
        sent_at = self._sent_at(message, where)
        if sent_at is not None:
            self.window.require_inside(sent_at, now)
        return Verified(
            payload=payload,
            principal="signed-request",
            secret_ids=(used.id,),
            sender_time=sent_at,
            # Without a time, the same words sent again on purpose look the same.
            replay_key="" if sent_at is None else f"sha256:{hashlib.sha256(encoded.encode()).hexdigest()}",
            replay_until=None if sent_at is None else self.window.end_of(sent_at),
        )

    def _parts(self, body: bytes) -> tuple[bytes, str, bytes]:
        """Return the signature, what it covers, and the bytes that this stands for."""
        where = f"field {self.form_field}"
        signed, dot, encoded = self._value(body).partition(".")
        signature, payload = (decode(part, SignatureEncoding.BASE64URL) for part in (signed, encoded))
        if not dot or "=" in signed + encoded or signature is None or payload is None:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"{where}: it is not two parts in Base64url without padding")
        if len(signature) != hashlib.sha256().digest_size:
            raise Rejected(
                Code.CREDENTIAL_MALFORMED, f"{where}: the signature does not have the length of {_ALGORITHM}"
            )
        return signature, encoded, payload

    def _value(self, body: bytes) -> str:
        pairs = read_form(body.decode("ascii")) if body.isascii() else None
        if pairs is None:
            raise Rejected(Code.CREDENTIAL_MALFORMED, "the form cannot be read")
        found = [value for name, value in pairs if name == self.form_field]
        if not found or not found[0].strip():
            raise Rejected(Code.CREDENTIAL_MISSING, f"field {self.form_field}")
        if len(found) > 1:
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"field {self.form_field} came more than once")
        return found[0]

    def _sent_at(self, message: dict[str, object], where: str) -> datetime | None:
        if "issued_at" not in message:
            if self.time_required:
                raise Rejected(Code.TIMESTAMP_MISSING, f"{where}: issued_at")
            return None
        issued_at = message["issued_at"]
        if not isinstance(issued_at, int) or isinstance(issued_at, bool):
            raise Rejected(Code.TIMESTAMP_MALFORMED, f"{where}: issued_at is not a whole number")
        try:
            return self.window.read(str(issued_at))
        except Rejected as error:
            raise Rejected(error.code, f"{where}: issued_at: {error.detail}") from None
