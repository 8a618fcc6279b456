"""Messages of Amazon SNS: what is believed, what is refused, and what a subscription asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.private import Private
from connector.verify.sns import Sns
from connector.verify.stamp import TimeUnit, Tolerance
from tests.support.certificates import BEGINS, ENDS, authority, certificate
from tests.support.documents import PublishedDocuments
from tests.unit.verify.sns.messages import (
    CONFIRM,
    FAREWELL,
    FILE,
    HOST,
    MESSAGE,
    NOTIFICATION,
    SUBSCRIPTION,
    TOPIC,
    signed,
    signer,
    text_of,
)

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
ALL: Final = {"notification": NOTIFICATION, "subscription": SUBSCRIPTION, "farewell": FAREWELL}


def delivery(message: object, *headers: tuple[str, str]) -> Inbound:
    body = message if isinstance(message, bytes) else json.dumps(message, indent=2).encode()
    kind = ("Content-Type", "text/plain; charset=UTF-8")
    return Inbound("POST", "https://connector.example.com/webhooks/x", (kind, *headers), body)


def check(documents: PublishedDocuments | None = None, *topics: str, **settings: Any) -> Sns:
    return Sns(topics or (TOPIC,), documents or PublishedDocuments({FILE: signer().pem}), **settings)


def refusal(message: object, made: Sns | None = None, now: datetime = NOW) -> Rejected:
    with pytest.raises(Rejected) as caught:
        (made or check()).verify(delivery(message), now)
    assert caught.value.entry.status == 401
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_of_a_notification_what_was_published_is_verified() -> None:
    said = check().verify(delivery(signed(NOTIFICATION)), NOW)
    assert said.payload == MESSAGE.encode()
    assert said.principal == "sns"
    assert said.secret_ids == (f"{HOST}:{signer().short_id}",)
    assert said.sender_time == NOW
    assert said.replay_key == "id:22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
    assert said.replay_until == NOW + timedelta(hours=2)
    assert said.confirm_url is None


def test_a_subject_is_signed_if_there_is_one() -> None:
    with_subject = {**NOTIFICATION, "Subject": "Erasure"}
    assert check().verify(delivery(signed(with_subject)), NOW).payload == MESSAGE.encode()
    assert check().verify(delivery({**signed(NOTIFICATION), "Subject": None}), NOW).payload == MESSAGE.encode()
    assert refusal({**signed(NOTIFICATION), "Subject": "Erasure"}).code is Code.CREDENTIAL_WRONG
    assert refusal({**signed(with_subject), "Subject": None}).code is Code.CREDENTIAL_WRONG


def test_of_a_subscription_the_address_to_confirm_it_is_given() -> None:
    inbound = delivery(signed(SUBSCRIPTION))
    said = check().verify(inbound, NOW)
    assert said.confirm_url == Private(CONFIRM)
    assert said.payload == inbound.body


def test_of_the_end_of_a_subscription_no_address_is_given_that_would_undo_it() -> None:
    inbound = delivery(signed(FAREWELL))
    said = check().verify(inbound, NOW)
    assert said.confirm_url is None
    assert said.payload == inbound.body


def test_members_that_are_not_signed_may_say_anything_and_count_for_nothing() -> None:
    message = signed(NOTIFICATION, UnsubscribeURL="https://evil.example.org/", MessageAttributes={"a": [1, None]})
    assert check().verify(delivery(message), NOW).payload == MESSAGE.encode()


ALTERED: Final = [
    (kind, name, other)
    for kind, message in ALL.items()
    for name, other in {
        **{one: f"{value}x" for one, value in message.items()},
        "Timestamp": "2026-11-02T09:14:34.000Z",
        "Type": "UnsubscribeConfirmation" if kind == "subscription" else "SubscriptionConfirmation",
    }.items()
]


@pytest.mark.parametrize(("kind", "name", "other"), ALTERED)
def test_refuses_a_message_with_any_signed_member_altered(kind: str, name: str, other: str) -> None:
    code = refusal({**signed(ALL[kind]), name: other}).code
    # A notification has no members of a subscription; another topic is none of ours.
    expected = {"TopicArn": Code.CLAIM_WRONG, "Type": Code.CREDENTIAL_MISSING if kind == "notification" else None}
    assert code is (expected.get(name) or Code.CREDENTIAL_WRONG)


@pytest.mark.parametrize("kind", ALL)
def test_refuses_a_message_with_any_member_missing_or_no_text(kind: str) -> None:
    message = signed(ALL[kind])
    for name in message:
        without = {other: value for other, value in message.items() if other != name}
        assert refusal(without).code is Code.CREDENTIAL_MISSING
        for nothing in (None, ""):
            assert refusal({**message, name: nothing}).code is Code.CREDENTIAL_MISSING
        for value in (7, True, ["x"], {"x": "y"}):
            assert refusal({**message, name: value}).code is Code.CREDENTIAL_MALFORMED
        assert refusal({**message, name: "\ud800"}).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"Type": "Notification", "Type": "Notification"}',
        b'{"n": NaN}',
        b'{"n": ' + b"9" * 5_000 + b"}",
        b"subTaskId=1",
    ],
)
def test_refuses_a_body_that_is_no_message(body: bytes) -> None:
    assert refusal(body).code is Code.CREDENTIAL_MALFORMED


def test_refuses_a_member_that_stands_twice() -> None:
    good = json.dumps(signed(NOTIFICATION))
    twice = good[:-1] + ', "Message": "other"}'
    assert refusal(twice.encode()).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("text", ["a b", "a\tb", "é", "x" * 101, "../x"])
def test_refuses_an_id_that_is_none(text: str) -> None:
    assert refusal(signed({**NOTIFICATION, "MessageId": text})).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("kind", ["", "notification", "Notification ", "Confirmation", "\u0000"])
def test_refuses_other_types_of_messages(kind: str) -> None:
    code = refusal({**signed(NOTIFICATION), "Type": kind}).code
    assert code in {Code.CREDENTIAL_MALFORMED, Code.CREDENTIAL_MISSING}


def test_refuses_raw_delivery_and_says_why() -> None:
    for body in (b'{"subTaskId": "1"}', json.dumps(signed(NOTIFICATION)).encode()):
        with pytest.raises(Rejected) as caught:
            check().verify(delivery(body, ("x-amz-sns-rawdelivery", "true")), NOW)
        assert caught.value.code is Code.CREDENTIAL_MISSING
        assert "raw message delivery" in caught.value.detail


def test_does_not_take_one_type_of_message_for_another() -> None:
    assert refusal({**signed(FAREWELL), "Type": "SubscriptionConfirmation"}).code is Code.CREDENTIAL_WRONG
    assert refusal({**signed(SUBSCRIPTION), "Type": "UnsubscribeConfirmation"}).code is Code.CREDENTIAL_WRONG
    assert refusal({**signed(SUBSCRIPTION), "Type": "Notification"}).code is Code.CREDENTIAL_WRONG


def test_does_not_read_the_lines_of_a_message_as_members() -> None:
    """SNS signs lines; whoever may publish can write lines that look like members."""
    inner = "x\nMessageId\n11111111-1111-4111-8111-111111111111\nSubject\ny"
    published = signed({**NOTIFICATION, "Message": inner})
    assert check().verify(delivery(published), NOW).payload == inner.encode()
    for shifted in (
        {
            "Message": "x",
            "MessageId": inner.removeprefix("x\nMessageId\n") + "\nMessageId\n" + NOTIFICATION["MessageId"],
        },
        {
            "Message": "x",
            "MessageId": "11111111-1111-4111-8111-111111111111",
            "Subject": "y\nMessageId\n" + NOTIFICATION["MessageId"],
        },
    ):
        again = {**published, **shifted}
        assert text_of(again) == text_of(published)
        assert refusal(again).code is Code.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:eu-west-1:123456789012:erasures-2",
        "arn:aws:sns:eu-west-1:210987654321:erasures",
        "arn:aws:sns:eu-west-1:123456789012:Erasures",
        "arn:aws:sns:eu-west-1:123456789012:erasures\u200b",
        f"{TOPIC}:c9135db0-26c4-47ec-8998-413945fb5a96",
    ],
)
def test_refuses_a_good_message_of_a_topic_that_is_not_on_the_list(arn: str) -> None:
    documents = PublishedDocuments({FILE: signer().pem})
    assert refusal(signed({**NOTIFICATION, "TopicArn": arn}), check(documents)).code is Code.CLAIM_WRONG
    assert documents.asked == []


def test_accepts_every_topic_of_the_list_at_the_host_of_its_region() -> None:
    other = "arn:aws:sns:us-east-1:123456789012:erasures"
    there = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-ab.pem"
    made = check(PublishedDocuments({FILE: signer().pem, there: signer().pem}), TOPIC, other)
    message = signed({**NOTIFICATION, "TopicArn": other}, SigningCertURL=there)
    assert made.verify(delivery(message), NOW).secret_ids[0].startswith("sns.us-east-1.amazonaws.com:")
    assert refusal({**message, "SigningCertURL": FILE}, made).code is Code.KEY_UNKNOWN
    assert [one.url for one in made.addresses] == [f"https://{HOST}/", "https://sns.us-east-1.amazonaws.com/"]


ELSEWHERE: Final = [
    "http://{host}/a.pem",
    "HTTPS://{host}/a.pem",
    "https://{host}:443/a.pem",
    "https://{host}./a.pem",
    "https://user@{host}/a.pem",
    "https://{host}@evil.example.org/a.pem",
    "https://{host}.evil.example.org/a.pem",
    "https://evil.example.org/{host}/a.pem",
    "https://evil.example.org\\@{host}/a.pem",
    "https://evil.example.org#{host}/a.pem",
    "https://sns.s3-eu-west-1.amazonaws.com/a.pem",
    "https://sns.s3.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.com.cn/a.pem",
    "https://snsXeu-west-1.amazonaws.com/a.pem",
    "https://evil.amazonaws.com/a.pem",
    "https://{host}/a.pem?x=1",
    "https://{host}/?Action=x&y=.pem",
    "https://{host}/a.pem#x",
    "https://{host}/a/b.pem",
    "https://{host}/../a.pem",
    "https://{host}/%61.pem",
    "https://{host}/a.pem\t",
    "https://{host}/a .pem",
    "https://{host}/.pem",
    "https://{host}/a.PEM",
    "https://{host}/a.crt",
    "https://{host}/",
    "https://{host}",
    " https://{host}/a.pem",
    "file:///{host}/a.pem",
    "a.pem",
]


@pytest.mark.parametrize("form", ELSEWHERE)
def test_fetches_no_certificate_from_elsewhere(form: str) -> None:
    url = form.format(host=HOST)
    documents = PublishedDocuments({url: signer().pem})
    assert refusal(signed(NOTIFICATION, SigningCertURL=url), check(documents)).code is Code.KEY_UNKNOWN
    assert documents.asked == []


@pytest.mark.parametrize(
    "form",
    [
        "http://{host}/?Action=ConfirmSubscription",
        "https://evil.example.org/?Action=ConfirmSubscription",
        "https://{host}.evil.example.org/?Action=ConfirmSubscription",
        "https://{host}@evil.example.org/?Action=ConfirmSubscription",
        "https://{host}:8443/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://{host}/?Action=ConfirmSubscription#x",
        "https://{host}/other?Action=ConfirmSubscription",
        "https://{host}/?Action=Confirm Subscription",
        "https://{host}/?Action=ConfirmSubscription\\..",
        "https://{host}/",
    ],
)
def test_confirms_nothing_at_an_address_elsewhere_even_if_it_is_signed(form: str) -> None:
    message = {**SUBSCRIPTION, "SubscribeURL": form.format(host=HOST)}
    assert refusal(signed(message)).code is Code.CLAIM_WRONG


@pytest.mark.parametrize(
    ("partition", "region", "domain", "name"),
    [
        ("aws", "us-west-2", "amazonaws.com", "sns.amazonaws.com"),
        ("aws", "mx-central-1", "amazonaws.com", "sns-signing.mx-central-1.amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com", "sns-us-gov-west-1.amazonaws.com"),
        ("aws-us-gov", "us-gov-east-1", "amazonaws.com", "sns-us-gov-west-1.amazonaws.com"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu", "sns-signing.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_knows_host_and_certificate_of_each_part_of_aws(partition: str, region: str, domain: str, name: str) -> None:
    """The names are those of `SnsHostProvider` in the AWS SDK for Java 2."""
    arn, host = f"arn:{partition}:sns:{region}:123456789012:t", f"sns.{region}.{domain}"
    url = f"https://{host}/SimpleNotificationService-ab.pem"
    sender = certificate(name, key="amazon")
    message = signed({**NOTIFICATION, "TopicArn": arn}, sender, SigningCertURL=url)
    said = check(PublishedDocuments({url: sender.pem}), arn).verify(delivery(message), NOW)
    assert said.secret_ids == (f"{host}:{sender.short_id}",)


@pytest.mark.parametrize(
    "names",
    [
        ("sns.example.com",),
        ("amazonaws.com",),
        ("*.amazonaws.com",),
        ("sns-signing.us-east-1.amazonaws.com",),
        ("sns.amazonaws.com.example.org",),
        ("sns.amazonaws.com.cn",),
        (),
    ],
)
def test_refuses_a_certificate_that_was_not_issued_to_sns(names: tuple[str, ...]) -> None:
    documents = PublishedDocuments({FILE: signer(names=names).pem})
    assert refusal(signed(NOTIFICATION), check(documents)).code is Code.KEY_UNKNOWN


def test_does_not_ask_for_a_path_to_an_authority_because_sns_publishes_none() -> None:
    sender = signer(issuer=authority("Example Issuing", "Example Root"))
    assert check(PublishedDocuments({FILE: sender.pem})).verify(delivery(signed(NOTIFICATION)), NOW).payload


def test_a_certificate_counts_exactly_within_its_time() -> None:
    def sent(moment: datetime) -> dict[str, Any]:
        return signed({**NOTIFICATION, "Timestamp": moment.isoformat(timespec="milliseconds")})

    for moment in (BEGINS, ENDS):
        assert check().verify(delivery(sent(moment)), moment).payload == MESSAGE.encode()
    for moment in (BEGINS - timedelta(seconds=1), ENDS + timedelta(seconds=1)):
        assert refusal(sent(moment), now=moment).code is Code.CREDENTIAL_EXPIRED


@pytest.mark.parametrize("kind", ["rsa-1024", "ed25519"])
def test_refuses_keys_that_are_too_short_or_of_another_kind(kind: str) -> None:
    sender = signer(kind=kind, key=kind)
    documents = PublishedDocuments({FILE: sender.pem})
    assert refusal(signed(NOTIFICATION, sender), check(documents)).code is Code.CREDENTIAL_WRONG


def test_accepts_sha1_only_where_the_settings_allow_it() -> None:
    old = signed(NOTIFICATION, version="1")
    error = refusal(old)
    assert error.code is Code.ALGORITHM_NOT_ALLOWED
    assert "set the topic's attribute SignatureVersion to 2" in error.detail
    allowing = check(allow_sha1=True)
    for message in (old, signed(NOTIFICATION)):
        assert allowing.verify(delivery(message), NOW).payload == MESSAGE.encode()


def test_the_version_does_not_fit_a_signature_of_the_other_one() -> None:
    allowing = check(allow_sha1=True)
    for version, other in (("1", "2"), ("2", "1")):
        message = {**signed(NOTIFICATION, version=version), "SignatureVersion": other}
        assert refusal(message, allowing).code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("version", ["0", "3", "2.0", " 2", "two", "-1"])
def test_refuses_versions_that_do_not_exist(version: str) -> None:
    message = {**signed(NOTIFICATION), "SignatureVersion": version}
    assert refusal(message, check(allow_sha1=True)).code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text + "\n", lambda text: "%" + text, str.lower]
)
def test_refuses_a_signature_that_is_no_base64_or_another(change: Any) -> None:
    good = signed(NOTIFICATION)
    code = refusal({**good, "Signature": change(good["Signature"])}).code
    assert code in {Code.CREDENTIAL_MALFORMED, Code.CREDENTIAL_WRONG}


@pytest.mark.parametrize(
    "stamp", ["2026-11-02T09:14:33", "2026-11-02", "1793610873", "2026-13-02T09:14:33.000Z", "now"]
)
def test_refuses_times_that_are_not_written_as_sns_writes_them(stamp: str) -> None:
    assert refusal(signed({**NOTIFICATION, "Timestamp": stamp})).code is Code.TIMESTAMP_MALFORMED


def test_a_message_is_accepted_while_sns_may_still_repeat_it_and_no_longer() -> None:
    made = check()
    for late in (timedelta(0), timedelta(hours=1), timedelta(hours=2)):
        assert made.verify(delivery(signed(NOTIFICATION)), NOW + late).payload == MESSAGE.encode()
    assert refusal(signed(NOTIFICATION), now=NOW + timedelta(hours=2, seconds=1)).code is Code.TIMESTAMP_TOO_OLD
    assert refusal(signed(NOTIFICATION), now=NOW - timedelta(seconds=301)).code is Code.TIMESTAMP_IN_FUTURE


def test_does_not_judge_the_time_of_somebody_it_does_not_know() -> None:
    forged = signed(NOTIFICATION, signer(key="somebody else"))
    assert refusal(forged, now=NOW + timedelta(days=3)).code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("text", [b"", b"<Error><Code>AccessDenied</Code></Error>", b"\x30\x03\x02\x01\x00"])
def test_asks_sns_to_repeat_while_the_certificate_cannot_be_read(text: bytes) -> None:
    documents = PublishedDocuments({FILE: text})
    made = check(documents)
    with pytest.raises(Temporary) as caught:
        made.verify(delivery(signed(NOTIFICATION)), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE
    documents.published[FILE] = signer().pem
    assert made.verify(delivery(signed(NOTIFICATION)), NOW).payload == MESSAGE.encode()


def test_asks_sns_to_repeat_while_the_certificate_cannot_be_fetched() -> None:
    with pytest.raises(Temporary) as caught:
        check(PublishedDocuments()).verify(delivery(signed(NOTIFICATION)), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


def test_looks_once_more_for_a_certificate_that_does_not_count_but_not_for_a_wrong_signature() -> None:
    documents = PublishedDocuments({FILE: signer(valid=(BEGINS - timedelta(days=99), BEGINS)).pem})
    made = check(documents)
    assert refusal(signed(NOTIFICATION), made).code is Code.CREDENTIAL_EXPIRED
    assert len(documents.renewed) == 1
    documents.may_renew = False
    assert refusal(signed(NOTIFICATION), made).code is Code.CREDENTIAL_EXPIRED
    # The address stands for one certificate, so another look could not find another key.
    fine = PublishedDocuments({FILE: signer().pem})
    assert refusal(signed(NOTIFICATION, signer(key="somebody else")), check(fine)).code is Code.CREDENTIAL_WRONG
    assert fine.renewed == []


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "erasures",
        "arn:aws:sns:eu-west-1:123456789012:",
        "arn:aws:sns:eu-west-1:123456789012:*",
        "arn:aws:sns:*:123456789012:erasures",
        "arn:aws:sns:eu-west-1:12345:erasures",
        "arn:aws:sns:eu-west-1:123456789012:erasures.fifo",
        "arn:aws:sqs:eu-west-1:123456789012:erasures",
        "arn:aws-iso:sns:us-iso-east-1:123456789012:erasures",
        "arn:aws:sns:s3-eu-west-1:123456789012:erasures",
        "arn:aws:sns:evil.example.org/eu-west-1:123456789012:erasures",
        " " + TOPIC,
        TOPIC + "\n",
    ],
)
def test_refuses_at_the_start_what_is_no_topic(arn: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        check(None, arn)
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.detail.startswith("sns: ")


def test_refuses_at_the_start_to_believe_every_topic_or_another_way_to_write_times() -> None:
    for wrong in (
        lambda: Sns((), PublishedDocuments()),
        lambda: check(window=Tolerance(TimeUnit.SECONDS)),
    ):
        with pytest.raises(Misconfigured):
            wrong()


def test_shows_nothing_of_a_message_in_a_repr_or_a_refusal() -> None:
    message = signed(SUBSCRIPTION)
    made = check()
    shown = repr(made) + repr(made.verify(delivery(message), NOW)) + str(refusal({**message, "Token": "other"}))
    for name in ("Message", "MessageId", "Token", "SubscribeURL", "Signature", "SigningCertURL"):
        assert message[name] not in shown
