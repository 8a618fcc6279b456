"""Keys for tokens as they are configured: public keys as PEM text or JWK, shared secrets as text or JWK.

What they are is seen by their beginning, so that a public key can never pass for a shared secret. A refusal names the
id of the secret, never a part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jwt import PyJWTError
from jwt.algorithms import HMACAlgorithm

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.key_format import MAX_SECRET_BYTES, KeyFormat, make_key
from connector.verify.keys import Algorithm, MacKey
from connector.verify.strict_json import read_object
from connector.verify.token.jwk import (
    PublicMaterial,
    TokenAlgorithm,
    TokenKey,
    algorithms_of,
    material_of_jwk,
    material_of_pem,
    require_one_kind,
    uses_of_jwk,
)
from connector.verify.token.key_sources import StaticKeys


def static_keys(
    secrets: Iterable[Secret], algorithms: Collection[TokenAlgorithm], form: KeyFormat = KeyFormat.UTF8
) -> StaticKeys:
    """Read configured keys, each of which has to serve at least one of the algorithms.

    Args:
        secrets: references to the keys; a public key is no secret, but is configured like one.
        algorithms: those accepted, which have to be of one kind.
        form: how a shared secret is written that is not a JWK.

    Raises:
        Misconfigured: there is no key, or one is of the wrong kind, cannot be read or is too weak.
    """
    require_one_kind(algorithms)
    keys = tuple(_key(secret, frozenset(algorithms), form) for secret in secrets)
    if not keys:
        raise Misconfigured(Code.CONFIG_INVALID, "jws: no key is given")
    return StaticKeys(keys)


def _key(secret: Secret, algorithms: frozenset[TokenAlgorithm], form: KeyFormat) -> TokenKey:
    text = secret.reveal().strip()
    jwk = read_object(text.encode(errors="surrogatepass")) if text.startswith("{") else None
    shared = any(one.is_shared for one in algorithms)
    if "PRIVATE KEY" in text or (jwk is not None and "d" in jwk):
        raise _wrong(secret, "is a private key; only the sender has it, configure the public one")
    if "BEGIN CERTIFICATE" in text:
        raise _wrong(secret, "is a certificate; configure its public key (openssl x509 -pubkey)")
    material = _shared(secret, jwk, algorithms, form) if shared else _public(secret, text, jwk)
    serves = algorithms & algorithms_of(material) & (frozenset(TokenAlgorithm) if jwk is None else uses_of_jwk(jwk))
    if not serves:
        raise _wrong(secret, f"is not a key for {', '.join(sorted(algorithms))}, or too short for it")
    key_id = jwk.get("kid") if jwk is not None else None
    return TokenKey(secret, key_id if isinstance(key_id, str) else None, material, serves)


def _public(secret: Secret, text: str, jwk: dict[str, object] | None) -> PublicMaterial:
    material = material_of_jwk(jwk) if jwk is not None else material_of_pem(text.encode(errors="surrogatepass"))
    if material is None:
        raise _wrong(secret, "is not a public key written as PEM or JWK")
    return material


def _shared(
    secret: Secret, jwk: dict[str, object] | None, algorithms: frozenset[TokenAlgorithm], form: KeyFormat
) -> bytes:
    at_least = max(one.min_secret_bytes for one in algorithms)
    if jwk is None:
        made = make_key(secret, Algorithm.HMAC_SHA256, form, at_least, MAX_SECRET_BYTES)
        material = made.secret if isinstance(made, MacKey) else b""
    else:
        text = jwk.get("k") if jwk.get("kty") == "oct" else None
        material = (decode(text, SignatureEncoding.BASE64URL) if isinstance(text, str) else None) or b""
    if len(material) < at_least:
        raise _wrong(secret, f"is not a shared secret of at least {at_least} bytes (RFC 7518 section 3.2)")
    try:
        return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except PyJWTError:
        raise _wrong(secret, "is a public key; HS256, HS384 and HS512 need the shared secret") from None


def _wrong(secret: Secret, why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"jws: secret {secret.id} {why}")
