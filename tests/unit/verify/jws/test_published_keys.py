"""Keys that a sender publishes: found, renewed once when they do not fit, and never taken from elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.model import KeyAddress
from connector.private import Secret
from connector.verify.token.body import Unsigned
from connector.verify.token.claims import ClaimRules
from connector.verify.token.jws import Jws
from connector.verify.token.key_places import ByIssuer, Discovered, OneAddress, is_address
from connector.verify.token.key_sources import MAX_PUBLISHED_KEYS, KeyForm, PublishedKeys
from tests.support.documents import PublishedDocuments
from tests.support.tokens import Signer, signer
from tests.unit.verify.jws.checks import FREE, NOW, SENDER, call, check, refused

URL: Final = "https://login.example.com/keys.json"
OTHER: Final = signer("key-2", "ES256")
RSA: Final = signer("rsa-1", "RS256")
ISSUER: Final = "https://login.example.com/tenant"
ABOUT: Final = f"{ISSUER}/.well-known/openid-configuration"


def jwks(*keys: Signer | dict[str, Any], member: str = "keys") -> bytes:
    return json.dumps({member: [one.jwk() if isinstance(one, Signer) else one for one in keys]}).encode()


def published(documents: PublishedDocuments, algorithms: str = "ES256", **more: Any) -> Jws:
    return check(algorithms, PublishedKeys(documents, OneAddress(KeyAddress(URL)), **more))


def good(key: Signer = SENDER, algorithm: str = "ES256", **claims: Any) -> Any:
    return call(key.token(algorithm, claims))


def test_finds_the_key_by_its_name_and_says_which_one_it_was() -> None:
    documents = PublishedDocuments({URL: jwks(OTHER, SENDER, RSA)})
    said = published(documents).verify(good(), NOW)
    assert said.secret_ids == ("login.example.com#key-1",)
    assert (len(documents.fetched), documents.renewed) == (1, [])


def test_tries_every_key_that_fits_where_the_token_names_none() -> None:
    documents = PublishedDocuments({URL: jwks(RSA, OTHER, SENDER)})
    assert published(documents).verify(call(SENDER.token("ES256", {}, kid=None)), NOW).secret_id.endswith("#key-1")


def test_a_key_without_a_name_is_known_by_its_digest() -> None:
    nameless = {name: value for name, value in SENDER.jwk().items() if name != "kid"}
    said = published(PublishedDocuments({URL: jwks(nameless)})).verify(good(), NOW)
    assert said.secret_id.startswith("login.example.com#sha256:")


def test_two_keys_of_one_name_are_both_tried() -> None:
    twin = {**OTHER.jwk(), "kid": SENDER.name}
    for keys in ((twin, SENDER), (SENDER, twin), (SENDER, SENDER)):
        assert published(PublishedDocuments({URL: jwks(*keys)})).verify(good(), NOW)


def test_a_change_of_keys_is_noticed_once() -> None:
    documents = PublishedDocuments({URL: jwks(OTHER)})
    verifier = published(documents)
    verifier.verify(good(OTHER), NOW)
    documents.published[URL] = jwks(SENDER)
    assert verifier.verify(good(SENDER), NOW).secret_id.endswith("#key-1")
    assert len(documents.renewed) == 1
    assert refused(verifier, good(OTHER)) is Code.KEY_UNKNOWN


def test_a_key_that_was_exchanged_under_its_old_name_is_noticed_by_the_signature() -> None:
    documents = PublishedDocuments({URL: jwks({**OTHER.jwk(), "kid": SENDER.name})})
    verifier = published(documents)
    assert refused(verifier, good()) is Code.CREDENTIAL_WRONG
    documents.published[URL] = jwks(SENDER)
    assert verifier.verify(good(), NOW)


def test_refuses_what_fits_no_published_key_after_one_more_look() -> None:
    documents = PublishedDocuments({URL: jwks(SENDER)})
    assert refused(published(documents), good(OTHER)) is Code.KEY_UNKNOWN
    forged = call(Signer(SENDER.name, OTHER.key).token("ES256", {}))
    assert refused(published(documents), forged) is Code.CREDENTIAL_WRONG
    assert len(documents.renewed) == 2


def test_refuses_without_another_look_if_that_would_be_too_soon() -> None:
    documents = PublishedDocuments({URL: jwks(OTHER)})
    verifier = published(documents)
    verifier.verify(good(OTHER), NOW)
    documents.published[URL], documents.may_renew = jwks(SENDER), False
    assert refused(verifier, good(SENDER)) is Code.KEY_UNKNOWN


def test_looks_nowhere_for_a_token_that_cannot_be_accepted() -> None:
    documents = PublishedDocuments({URL: jwks(SENDER)})
    for token in (SENDER.token("ES256", {}, alg="none"), SENDER.token("ES256", {}, alg="HS256"), "a.b.c", "", "{}"):
        refused(published(documents), call(token))
    assert documents.asked == []


def test_keys_that_cannot_be_had_are_nobodys_fault() -> None:
    documents = PublishedDocuments()
    with pytest.raises(Temporary) as caught:
        published(documents).verify(good(), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"[]",
        b'{"keys": {}}',
        b'{"jwks": []}',
        b'{"keys": [], "keys": []}',
        b"[" * 100_000,
        jwks(*[{}] * (MAX_PUBLISHED_KEYS + 1)),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_cannot_be_read_as_keys_is_read_again_and_then_nobodys_fault(body: bytes) -> None:
    documents = PublishedDocuments({URL: body})
    verifier = published(documents)
    for form in (verifier, published(documents, form=KeyForm.PEM)):
        with pytest.raises(Temporary) as caught:
            form.verify(good(), NOW)
        assert caught.value.code is Code.KEYS_UNAVAILABLE
    documents.published[URL] = jwks(SENDER)
    assert verifier.verify(good(), NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"key_ops": []},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": ["ES256"]},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA"},
        {"kty": ["EC"]},
        {"kty": None},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": ["P-256"]},
        {"x": ""},
        {"x": 1},
        {"x": "AAAA"},
        {"x": "A" * 43},
        {"x": "A" * 100_000},
        {"y": "not base64url!"},
        {"kid": ["key-1"]},
        {"kid": "Key-1"},
    ],
)
def test_passes_over_keys_that_are_not_for_this(changed: dict[str, Any]) -> None:
    documents = PublishedDocuments({URL: jwks({**SENDER.jwk(), **changed}, None, 1, "x", [])})  # type: ignore[arg-type]
    assert refused(published(documents), good()) is Code.KEY_UNKNOWN


def test_respects_what_the_publisher_allows() -> None:
    for more in (
        {"use": "sig"},
        {"key_ops": ["sign", "verify"]},
        {"alg": "ES256"},
        {"x5c": ["AA"], "x5u": "https://x"},
    ):
        documents = PublishedDocuments({URL: jwks({**SENDER.jwk(), **more})})
        assert published(documents).verify(good(), NOW)


def test_a_private_key_that_was_published_serves_as_its_public_part() -> None:
    documents = PublishedDocuments({URL: jwks({**SENDER.jwk(), "d": "AAAA"})})
    assert published(documents).verify(good(), NOW)


def test_passes_over_an_rsa_key_that_is_too_short() -> None:
    short = signer("short", "RS256", 1_024)
    documents = PublishedDocuments({URL: jwks(short)})
    assert refused(published(documents, "RS256"), good(short, "RS256")) is Code.KEY_UNKNOWN
    pem = PublishedDocuments({URL: short.pem.encode()})
    assert refused(published(pem, "RS256", form=KeyForm.PEM), good(short, "RS256")) is Code.KEY_UNKNOWN


def test_a_published_shared_secret_is_no_key() -> None:
    shared = signer("s", "HS256")
    documents = PublishedDocuments({URL: jwks(shared)})
    with pytest.raises(Misconfigured, match="no secret"):
        published(documents, "HS256")
    assert refused(published(documents, "ES256 RS256"), good(shared, "HS256")) is Code.ALGORITHM_NOT_ALLOWED


def test_the_list_may_stand_in_any_member_or_be_the_document() -> None:
    body = {"endpoint": "https://vendor.example.com/delete", "publicKey": [SENDER.jwk()]}
    documents = PublishedDocuments({URL: json.dumps(body).encode()})
    assert published(documents, pointer="/publicKey").verify(good(), NOW)
    bare = PublishedDocuments({URL: json.dumps([SENDER.jwk()]).encode()})
    assert published(bare, pointer="").verify(good(), NOW)


def test_one_key_may_be_published_as_pem_behind_headers() -> None:
    documents = PublishedDocuments({URL: SENDER.pem.encode() + b"\n"})
    address = KeyAddress(URL, (("Authorization", Secret("Bearer an-api-key-of-ours", "env:KEY")),))
    verifier = check("ES256", PublishedKeys(documents, OneAddress(address), KeyForm.PEM))
    assert verifier.verify(good(), NOW)
    assert documents.fetched == [address]
    assert "an-api-key" not in repr(verifier)
    documents.published[URL] = OTHER.pem.encode()
    assert verifier.verify(good(OTHER), NOW)


def per_issuer(documents: PublishedDocuments) -> Jws:
    issuers = ("publisher.example", "vendor.example")
    places = ByIssuer({one: KeyAddress(f"https://{one}/dsrdelete.json") for one in issuers})
    return check(
        "ES256", PublishedKeys(documents, places, pointer="/publicKey"), claims=ClaimRules(issuers, expires=False)
    )


def test_each_issuer_has_its_own_keys() -> None:
    documents = PublishedDocuments(
        {
            "https://publisher.example/dsrdelete.json": jwks(SENDER, member="publicKey"),
            "https://vendor.example/dsrdelete.json": jwks(OTHER, member="publicKey"),
        }
    )
    verifier = per_issuer(documents)
    assert verifier.verify(good(SENDER, iss="publisher.example"), NOW).secret_id == "publisher.example#key-1"
    assert verifier.verify(good(OTHER, iss="vendor.example"), NOW).secret_id == "vendor.example#key-2"
    assert refused(verifier, good(OTHER, iss="publisher.example")) is Code.KEY_UNKNOWN


@pytest.mark.parametrize("issuer", ["evil.example", "publisher.example/../evil", "", None, 1, [], ["vendor.example"]])
def test_an_issuer_that_is_not_allowed_is_never_looked_up(issuer: Any) -> None:
    documents = PublishedDocuments({"https://evil.example/dsrdelete.json": jwks(SENDER, member="publicKey")})
    assert refused(per_issuer(documents), good(iss=issuer)) is Code.CLAIM_WRONG
    assert documents.asked == []


def test_a_payload_that_is_no_object_names_no_issuer() -> None:
    documents = PublishedDocuments()
    for payload in (b"", b"[]", b'{"iss": "vendor.example", "iss": "evil.example"}', b"\xff"):
        assert refused(per_issuer(documents), call(SENDER.token("ES256", payload))) is Code.CREDENTIAL_MALFORMED
    assert documents.asked == []


def discovered(documents: PublishedDocuments, *hosts: str) -> Jws:
    places = Discovered((ISSUER,), documents, frozenset(hosts))
    rules = ClaimRules((ISSUER,), ("https://connector.example.com",))
    return check("ES256", PublishedKeys(documents, places), claims=rules, body=Unsigned(), single_use=False)


def access(**more: Any) -> Any:
    claims = {"iss": ISSUER, "aud": "https://connector.example.com", "exp": int(NOW.timestamp()) + 60, "jti": "t-1"}
    return good(**{**claims, **more})


def about(address: str = URL, issuer: Any = ISSUER) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": address}).encode()


def test_an_issuer_says_where_its_keys_are() -> None:
    documents = PublishedDocuments({ABOUT: about(), URL: jwks(SENDER)})
    said = discovered(documents).verify(access(), NOW)
    assert [one.url for one in documents.fetched] == [ABOUT, URL]
    # One token serves many calls: it tells no delivery from another.
    assert (said.replay_key, said.replay_until) == ("", None)


def test_keys_may_lie_on_another_host_only_if_the_settings_say_so() -> None:
    address = "https://keys.example.org/jwks"
    documents = PublishedDocuments({ABOUT: about(address), address: jwks(SENDER)})
    assert discovered(documents, "keys.example.org").verify(access(), NOW)
    with pytest.raises(Temporary):
        discovered(documents).verify(access(), NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        about(issuer="https://login.example.com/other"),
        about(issuer=f"{ISSUER}/"),
        about(issuer=None),
        about("http://login.example.com/keys.json"),
        about("https://login.example.com:444/keys.json"),
        about("https://login.example.com@evil.example/keys.json"),
        about("https://login.example.com.evil.example/keys.json"),
        about("//login.example.com/keys.json"),
        about("file:///etc/passwd"),
        about("https://[::1"),
        about("https://login.example.com/a b"),
    ],
)
def test_what_an_issuer_says_of_itself_is_read_again_and_not_believed(body: bytes) -> None:
    documents = PublishedDocuments({ABOUT: body, "http://login.example.com/keys.json": jwks(SENDER)})
    with pytest.raises(Temporary) as caught:
        discovered(documents).verify(access(), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE
    assert [one.url for one in documents.fetched] == [ABOUT, ABOUT]
    documents.published.update({ABOUT: about(), URL: jwks(SENDER)})
    assert discovered(documents).verify(access(), NOW)


def test_a_change_of_keys_at_a_discovered_issuer_is_noticed() -> None:
    documents = PublishedDocuments({ABOUT: about(), URL: jwks(OTHER)})
    verifier = discovered(documents)
    assert refused(verifier, access()) is Code.KEY_UNKNOWN
    documents.published[URL] = jwks(SENDER)
    assert verifier.verify(access(), NOW + timedelta(seconds=1))


def test_names_all_addresses_that_may_be_asked() -> None:
    documents = PublishedDocuments()
    assert [one.url for one in OneAddress(KeyAddress(URL)).addresses] == [URL]
    assert [one.url for one in ByIssuer({"a": KeyAddress(URL)}).addresses] == [URL]
    places = Discovered((ISSUER,), documents, frozenset({"keys.example.org"}))
    assert [one.url for one in places.addresses] == [ABOUT, "https://keys.example.org/"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys.json",
        "http://login.example.com/keys",
        "ftp://login.example.com/keys",
        "https://user:pw@login.example.com/keys",
        "https:///keys",
        "https://login.example.com:0/keys",
        "https://login.example.com:x/keys",
        "https://https://login.example.com/keys",
        "https://[::1/keys",
        "https://login.example.com/a b",
        "https://login.example.com/\n",
        "https://läuft.example.com/",
    ],
)
def test_refuses_addresses_that_are_not_safe_to_read(url: str) -> None:
    assert not is_address(url)
    with pytest.raises(Misconfigured):
        OneAddress(KeyAddress(url))
    with pytest.raises(Misconfigured):
        ByIssuer({"a": KeyAddress(url)})
    with pytest.raises(Misconfigured):
        Discovered((url,), PublishedDocuments())


def test_refuses_settings_without_issuer_or_with_half_an_address() -> None:
    documents = PublishedDocuments()
    headers = (("X-Api-Key", Secret("a-key-of-one-issuer-only", "env:API_KEY")),)
    for build in (
        lambda: ByIssuer({}),
        lambda: ByIssuer({one: KeyAddress(f"https://{one}.example.com/", headers) for one in "ab"}),
        lambda: Discovered((), documents),
        lambda: Discovered((f"{ISSUER}?x",), documents),
        lambda: Discovered((ISSUER,), documents, frozenset({""})),
        lambda: PublishedKeys(documents, OneAddress(KeyAddress(URL)), pointer="keys"),
    ):
        with pytest.raises(Misconfigured):
            build()


def test_published_keys_alone_do_not_say_for_whom_a_token_is() -> None:
    keys = PublishedKeys(PublishedDocuments(), OneAddress(KeyAddress(URL)))
    with pytest.raises(Misconfigured, match="audiences"):
        check("ES256", keys, body=Unsigned(), claims=FREE)
    check("ES256", keys, body=Unsigned(), claims=ClaimRules(audiences=("us",)))
    check("ES256", keys, body=Unsigned(), claims=ClaimRules(exact={"azp": "didomi"}))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["EC", "OKP", "RSA", "P-256", "AQAB"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "keys"]), inner
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(document=values | st.fixed_dictionaries({"keys": st.lists(values, max_size=4)}), form=st.sampled_from(KeyForm))
def test_whatever_is_published_a_token_is_refused_or_the_keys_are_unavailable(document: Any, form: KeyForm) -> None:
    documents = PublishedDocuments({URL: json.dumps(document).encode()})
    with pytest.raises((Rejected, Temporary)) as caught:
        published(documents, "ES256 EdDSA RS256", form=form).verify(good(), NOW)
    assert caught.value.code in {Code.KEY_UNKNOWN, Code.KEYS_UNAVAILABLE, Code.CREDENTIAL_WRONG}
