"""A fake time-stamping authority (RFC 3161) with a root of its own, made anew each time, and ways to go wrong."""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.wrappers import Response

from connector.sandbox.fake import TRANSPORT_SWITCHES, Fake, Route
from connector.sandbox.faults import Switch

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request

POLICY: Final = "1.3.6.1.4.1.32473.1.1"
OTHER_POLICY: Final = "1.3.6.1.4.1.32473.1.2"
#: Where questions go.
PATH: Final = "/tsr"
_REPLY: Final = "application/timestamp-reply"
_HASHES: Final = ("sha256", "sha384", "sha512")
_DAY: Final = timedelta(days=1)
_FAILURES: Final = ("unaccepted_policy", "bad_alg", "bad_request", "time_not_available", "system_failure")

SWITCHES: Final[dict[str, Switch]] = TRANSPORT_SWITCHES | {
    "stamp_refused": Switch(
        "Gives no stamp. Value: why, as the protocol words it, default unaccepted_policy.", _FAILURES[0], _FAILURES
    ),
    "wrong_imprint": Switch("The stamp is of other bytes."),
    "wrong_nonce": Switch("The stamp answers another question."),
    "nonce_missing": Switch("The stamp does not repeat the nonce."),
    "wrong_policy": Switch("The stamp was made under another policy."),
    "changed_stamp": Switch("The stamp was changed after it was signed."),
    "wrong_signature": Switch("Somebody else has signed the stamp, in the authority's name and with its certificate."),
    "expired_certificate": Switch("The authority's certificate ended a day before the stamp."),
    "foreign_root": Switch("The authority's certificate is of another root."),
    "wrong_purpose": Switch("The authority's certificate is for web servers."),
    "certificates_missing": Switch("The stamp comes without certificates, though they are asked for."),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


class FakeTimeAuthority(Fake):
    """The fake. Use as a context manager, or `start()` and `stop()`.

    Args:
        lifetime: how long its certificate counts, from a day before now on its clock.
    """

    def __init__(
        self, port: int = 0, clock: Callable[[], float] = time.time, *, lifetime: timedelta = timedelta(days=365)
    ) -> None:
        super().__init__(port, clock, SWITCHES)
        begin = self._moment() - _DAY
        whole, ended = (begin, begin + lifetime), (begin - 365 * _DAY, begin)
        self.root = _root("Example Time Root", begin)
        self.signer = _signer(self.root, whole)
        stranger = _root("Example Foreign Root", begin)
        # In this order they are looked for.
        self._odd = {
            "expired_certificate": _signer(self.root, ended),
            "foreign_root": _signer(stranger, whole),
            "wrong_purpose": _signer(self.root, whole, ExtendedKeyUsageOID.SERVER_AUTH),
        }
        self._serials = itertools.count(1)
        self.mount([Route("POST", PATH, "stamp", self._stamp)])

    @property
    def stamp_url(self) -> str:
        """The address that a configuration names."""
        return self.url + PATH

    def guard(self, _request: Request, _operation: str) -> Response | None:
        return None

    def error(self, status: int, message: str, _operation: str) -> Response:
        return Response(message, status=status, content_type="text/plain")

    def rate_limited(self, value: Any, operation: str) -> Response:
        response = self.error(429, "too many questions", operation)
        if value:
            response.headers["Retry-After"] = str(value)
        return response

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(int(self.now()), UTC)

    def _stamp(self, request: Request) -> Response:
        if request.mimetype != "application/timestamp-query":
            return self.error(415, "expected application/timestamp-query", "stamp")
        try:
            asked = tsp.TimeStampReq.load(request.get_data(), strict=True).native
        except (ValueError, TypeError):
            return _refusal("bad_data_format")
        imprint = asked["message_imprint"]
        if imprint["hash_algorithm"]["algorithm"] not in _HASHES:
            return _refusal("bad_alg")
        if asked["req_policy"] not in {None, POLICY, OTHER_POLICY}:
            return _refusal("unaccepted_policy")
        if (fault := self.faults.take("stamp_refused", "stamp")) is not None:
            return _refusal(str(fault.value))
        holder = next((one for name, one in self._odd.items() if self.faults.take(name, "stamp")), self.signer)
        carried = () if self.faults.take("certificates_missing", "stamp") or not asked["cert_req"] else (holder,)
        key = self._odd["foreign_root"].key if self.faults.take("wrong_signature", "stamp") else holder.key
        signing = Holder(holder.certificate, key)
        token = _token(self._said(asked), signing, carried, change=bool(self.faults.take("changed_stamp", "stamp")))
        whole = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})
        return Response(whole.dump(), content_type=_REPLY)

    def _said(self, asked: Any) -> Any:
        """Return what is stated, and the ways in which it is not what was asked."""
        imprint, nonce, policy = asked["message_imprint"], asked["nonce"], asked["req_policy"] or POLICY
        name, seen = imprint["hash_algorithm"]["algorithm"], imprint["hashed_message"]
        if self.faults.take("wrong_imprint", "stamp"):
            seen = hashlib.new(name, b"other bytes").digest()
        if self.faults.take("wrong_nonce", "stamp"):
            nonce = (nonce or 0) + 1
        if self.faults.take("nonce_missing", "stamp"):
            nonce = None
        if self.faults.take("wrong_policy", "stamp"):
            policy = OTHER_POLICY if policy == POLICY else POLICY
        said = {
            "version": "v1",
            "policy": policy,
            "message_imprint": {"hash_algorithm": {"algorithm": name}, "hashed_message": seen},
            "serial_number": next(self._serials),
            "gen_time": self._moment(),
            "accuracy": {"seconds": 1},
        }
        return tsp.TSTInfo(said | ({} if nonce is None else {"nonce": nonce}))


def _refusal(why: str) -> Response:
    status = {"status": {"status": "rejection", "status_string": ["switched on"], "fail_info": {why}}}
    return Response(_Refusal(status).dump(), content_type=_REPLY)


class _Refusal(core.Sequence):  # type: ignore[misc] # the library has no types
    """An answer without a token, for which the library has no place."""

    _fields: Final = [("status", tsp.PKIStatusInfo)]


def _token(said: Any, holder: Holder, carried: tuple[Holder, ...], *, change: bool) -> Any:
    """Sign what is said (RFC 5652, RFC 5816)."""
    content = said.dump()
    der = holder.certificate.public_bytes(serialization.Encoding.DER)
    ours = asn1.Certificate.load(der)
    named = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(der).digest()}]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
            {"type": "signing_certificate_v2", "values": [named]},
        ]
    )
    signature = holder.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
    if change:
        said["serial_number"] = said["serial_number"].native + 1
        content = said.dump()
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    signed = {
        "version": "v3",
        "digest_algorithms": [digest],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
        "signer_infos": [
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {"issuer_and_serial_number": {"issuer": ours.issuer, "serial_number": ours.serial_number}}
                ),
                "digest_algorithm": digest,
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": signature,
            }
        ],
    }
    if carried:
        ders = [one.certificate.public_bytes(serialization.Encoding.DER) for one in carried]
        signed["certificates"] = [asn1.Certificate.load(one) for one in ders]
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


def _root(name: str, begin: datetime) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key, key, (begin - 3650 * _DAY, begin + 3650 * _DAY))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return Holder(builder.sign(key, hashes.SHA256()), key)


def _signer(
    root: Holder,
    valid: tuple[datetime, datetime],
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    (issuer,) = root.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    builder = _builder("Example Time Authority", str(issuer.value), key, root.key, valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return Holder(builder.sign(root.key, hashes.SHA256()), key)


def _builder(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )


def _usage(**usages: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**dict.fromkeys(names, False) | usages)
