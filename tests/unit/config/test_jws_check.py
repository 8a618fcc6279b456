"""The check of tokens as it is written in the file: the examples of the page, and what is refused at the start."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.config.checks import key_addresses, media_types, verifier_of
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.ports import Verifier
from tests.support.documents import PublishedDocuments
from tests.support.tokens import signer
from tests.unit.config.trial import ENVIRON, VERIFY, Trial, spoilt
from tests.unit.verify.jws.checks import AT, NOW

PAGE: Final = Path(__file__).parents[3] / "docs" / "verification-jws.md"
SOMBRA: Final = "https://multi-tenant.sombra.transcend.io/public-keys/sombra-general-signing-key"
SECRET: Final = "a-secret-of-at-least-thirty-two-characters"
SENDER: Final = signer("sender", "ES256")
ENVIRONMENT: Final = {
    **ENVIRON,
    "TRANSCEND_API_KEY": "canary-transcend-api-key",
    "WEBHOOK_SECRET": SECRET,
    "PUBLIC_KEY": SENDER.pem,
}
BASE: Final[dict[str, Any]] = {
    "check": "jws",
    "place": "header",
    "header": "X-Token",
    "algorithms": ["ES256"],
    "secrets": ["env:PUBLIC_KEY"],
    "body": "token",
}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def example(number: int) -> list[dict[str, Any]]:
    """Return the checks of one example of the page."""
    text = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[number]
    (source,) = tomllib.loads(text)["sources"].values()
    return source["verify"]


def loaded(trial: Trial, *written: dict[str, Any]) -> Any:
    return trial.load(spoilt((VERIFY, list(written))), environ=ENVIRONMENT).sources["onetrust"].verify


def built(trial: Trial, documents: PublishedDocuments, *written: dict[str, Any]) -> Verifier:
    return verifier_of(loaded(trial, *written), documents)


def call(body: bytes = b"{}", peer: str = "192.0.2.1", **headers: str) -> Inbound:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Inbound("POST", "https://connector.example.com/webhooks/privacy", lines, body, peer)


def test_the_example_for_transcend_takes_its_tokens(trial: Trial) -> None:
    key = signer("transcend", "ES384")
    documents = PublishedDocuments({SOMBRA: key.pem.encode()})
    verifier = built(trial, documents, *example(0))
    claims = {"value": "someone@example.com", "iat": AT, "aud": "your-organisation"}
    body = json.dumps({"type": "ERASURE", "coreIdentifier": {"value": "someone@example.com"}}).encode()
    said = verifier.verify(call(body, x_sombra_token=key.token("ES384", claims, typ="JWT")), NOW)
    assert (said.payload, said.sender_time) == (body, NOW)
    assert said.replay_key.startswith("sha256:")
    (address,) = documents.fetched
    assert [(name, secret.reveal()) for name, secret in address.headers] == [
        ("Authorization", f"Bearer {ENVIRONMENT['TRANSCEND_API_KEY']}")
    ]
    other = body.replace(b"someone@", b"somebody@")
    with pytest.raises(Rejected) as caught:
        verifier.verify(call(other, x_sombra_token=key.token("ES384", claims)), NOW)
    assert caught.value.code is Code.CLAIM_WRONG


def test_the_example_for_the_deletion_framework_takes_both_tokens(trial: Trial) -> None:
    publisher, vendor = signer("p-1", "RS256"), signer("v-1", "ES256")
    documents = PublishedDocuments(
        {
            f"https://{name}/dsrdelete.json": json.dumps({"endpoint": "https://x", "publicKey": [key.jwk()]}).encode()
            for name, key in (("publisher.example", publisher), ("vendor.example", vendor))
        }
    )
    verifier = built(trial, documents, *example(1))
    subject = {"identifierValue": "28f6dc88", "identifierType": "email", "identifierFormat": "sha256"}
    identity = {"version": "1.0", "jti": "i-1", "iss": "publisher.example", "sub": subject, "iat": AT - 10 * 86_400}
    inner = publisher.token("RS256", identity, typ="JWT")
    request = {"version": "1.0", "jti": "r-1", "iss": "vendor.example", "sub": subject, "iat": AT, "idJWT": inner}
    said = verifier.verify(call(vendor.token("ES256", request, typ="JWT").encode()), NOW)
    assert json.loads(said.payload) == request
    assert said.secret_ids == ("vendor.example#v-1", "publisher.example#p-1")
    assert said.replay_key == 'jti:["vendor.example", "r-1"]'
    for changed in ({"version": "2.0"}, {"iss": "evil.example"}, {"idJWT": vendor.token("ES256", identity)}):
        with pytest.raises(Rejected):
            verifier.verify(call(vendor.token("ES256", {**request, **changed}).encode()), NOW)


def test_the_example_for_didomi_takes_access_tokens_of_its_client(trial: Trial) -> None:
    key, issuer = signer("idp-1", "RS256"), "https://login.example.com"
    about = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
    documents = PublishedDocuments(
        {
            f"{issuer}/.well-known/openid-configuration": json.dumps(about).encode(),
            f"{issuer}/jwks": json.dumps({"keys": [key.jwk()]}).encode(),
        }
    )
    verifier = built(trial, documents, *example(2))
    claims = {"iss": issuer, "aud": "https://connector.example.com", "exp": AT + 600, "jti": "t", "client_id": "didomi"}
    good = f"Bearer {key.token('RS256', claims, typ='at+jwt')}"
    for body in (b'{"type": "user.deleted"}', b'{"type": "event.deleted"}'):
        said = verifier.verify(call(body, "35.159.1.63", authorization=good), NOW)
        assert (said.payload, said.replay_key) == (body, "")
    another = f"Bearer {key.token('RS256', {**claims, 'client_id': 'portal'}, typ='at+jwt')}"
    identity = f"Bearer {key.token('RS256', claims, typ='JWT')}"
    for peer, token in (("192.0.2.1", good), ("35.159.1.63", another), ("35.159.1.63", identity)):
        with pytest.raises(Rejected):
            verifier.verify(call(b"{}", peer, authorization=token), NOW)


def test_the_example_with_a_hash_takes_tokens_of_a_shared_secret(trial: Trial) -> None:
    import hmac

    verifier, body = built(trial, PublishedDocuments(), *example(3)), b'{"event": {"type": "user.delete"}}'
    claims = {"request_body_sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    signed = ".".join(
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
        for one in ({"alg": "HS256", "kid": "k"}, claims)
    )
    mac = hmac.digest(SECRET.encode(), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert verifier.verify(call(body, X_FusionAuth_Signature_JWT=token), NOW).secret_id == "env:WEBHOOK_SECRET"


def test_the_example_with_a_detached_payload_takes_a_key_from_a_file(trial: Trial) -> None:
    key = signer("detached", "PS256")
    (trial.folder / "sender.pem").write_text(key.pem)
    verifier, body = built(trial, PublishedDocuments(), *example(4)), b'{"a": 1}'
    token = key.detached("PS256", body, b64=False, crit=["b64"])
    assert verifier.verify(call(body, X_JWS_Signature=token), NOW).secret_id == "file:sender.pem"


def test_says_what_deliveries_look_like_and_where_keys_are(trial: Trial) -> None:
    checks = loaded(trial, *example(0))
    assert [one.url for one in key_addresses(checks)] == [SOMBRA]
    assert checks[0].headers == ("x-sombra-token",)
    framework = loaded(trial, *example(1))
    assert {"application/jwt", "application/jose", "text/plain"} == media_types(framework)
    assert [one.url for one in key_addresses(framework)] == [
        "https://publisher.example/dsrdelete.json",
        "https://vendor.example/dsrdelete.json",
    ]
    didomi = loaded(trial, *example(2))
    assert didomi[0].headers == ("Authorization",)
    (check,) = loaded(trial, {**{k: v for k, v in BASE.items() if k != "header"}, "place": "form", "field": "jwt"})
    assert check.media_types == {"application/x-www-form-urlencoded"}
    assert (check.headers, check.key_addresses, check.needs_url) == ((), (), False)
    assert [one.id for one in check.live_secrets] == ["env:PUBLIC_KEY"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"algorithms": ["none"]}, "expected"),
        ({"algorithms": ["ES256K"]}, "expected"),
        ({"algorithms": []}, "at least one"),
        ({"algorithms": ["ES256", "HS256"]}, "jws: "),
        ({"algorithms": ["HS256"]}, "public key"),
        ({"algorithms": ["RS256"]}, "not a key for RS256"),
        ({"secrets": []}, "no key"),
        ({"header": ""}, "header name"),
        ({"place": "bearer"}, "header does nothing here"),
        ({"member": "/token"}, "member does nothing here"),
        ({"keys_url": "https://example.com/keys"}, "keys_url does nothing here"),
        ({"keys_from": "jwks"}, "secrets does nothing here"),
        ({"body_claim": "h"}, "body_claim does nothing here"),
        ({"secret_format": "hex"}, "secret_format does nothing here"),
        ({"future_s": 5}, "future_s does nothing here; it belongs to max_age_s"),
        ({"body": "hash"}, "claim with the body's hash"),
        ({"body": "members"}, "name the claims"),
        ({"body": "members", "body_members": [{"claim": "a", "member": "a"}]}, "JSON pointer"),
        ({"body": None}, "missing"),
        ({"max_age_s": 0}, "expected"),
        ({"leeway_s": 601}, "expected"),
        ({"issuers": [""]}, "empty text"),
        ({"claims": {"exp": 1}}, "setting of its own"),
    ],
)
def test_refuses_at_the_start_what_cannot_work(trial: Trial, changed: dict[str, Any], why: str) -> None:
    written = {name: value for name, value in {**BASE, **changed}.items() if value is not None}
    lines = trial.lines(spoilt((VERIFY, [written])), environ=ENVIRONMENT)
    assert len(lines) == 1
    assert lines[0].startswith("sources.onetrust.verify[0]")
    assert why in lines[0]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, "https://HOST"),
        ({"keys_url": "http://login.example.com/keys"}, "https://HOST"),
        ({"keys_url": "https://login.example.com/keys", "body": "unsigned"}, "audiences"),
        ({"keys_url": "https://{iss}/keys"}, "name the issuers"),
        ({"keys_url": "https://{iss}/keys", "issuers": ["user:pw@evil.example"]}, "https://HOST"),
        ({"keys_url": "https://login.example.com/keys", "keys_member": "keys"}, "JSON pointer"),
        ({"keys_url": "https://login.example.com/keys", "algorithms": ["HS256"]}, "no secret"),
        ({"keys_from": "discovery"}, "name the issuers"),
        ({"keys_from": "discovery", "issuers": ["login.example.com"]}, "https://HOST"),
    ],
)
def test_refuses_at_the_start_addresses_that_cannot_protect(trial: Trial, changed: dict[str, Any], why: str) -> None:
    remote = {name: value for name, value in BASE.items() if name != "secrets"}
    lines = trial.lines(spoilt((VERIFY, [{**remote, "keys_from": "jwks", **changed}])), environ=ENVIRONMENT)
    assert len(lines) == 1
    assert why in lines[0]


def test_a_token_beside_another_check_of_the_same_header_is_refused(trial: Trial) -> None:
    bearer = {"check": "bearer", "secrets": ["env:WEBHOOK_SECRET"]}
    token = {**{name: value for name, value in BASE.items() if name != "header"}, "place": "bearer"}
    (line,) = trial.lines(spoilt((VERIFY, [bearer, token])), environ=ENVIRONMENT)
    assert "two checks read the header" in line
