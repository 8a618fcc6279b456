"""The senders whose layout is known: one row each. A further layout is one more row and one file of vectors.

Where a sender publishes no tolerance for its signed timestamp, the row's window is this product's own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connector.verify.grammar import Pairs, Plain, SignatureEncoding, Versioned
from connector.verify.key_format import KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.scheme import Names, Scheme, UrlForm
from connector.verify.stamp import TimeUnit, Tolerance

_BASE64: Final = SignatureEncoding.BASE64
_SHA256: Final = Algorithm.HMAC_SHA256
_IN_MS: Final = Tolerance(TimeUnit.MILLISECONDS)

_WEBHOOK: Final = Names("webhook-signature", "webhook-timestamp", "webhook-id")
_SVIX: Final = Names("svix-signature", "svix-timestamp", "svix-id")
_DATAGRAIL: Final = Names("X-Webhook-Signature", "X-Webhook-Timestamp")

# fmt: off
_ROWS: Final = (
    # Standard Webhooks: a secret has 24 to 64 bytes.
    Scheme("standard-webhooks", (_WEBHOOK,), "{id}.{ts}.{body}", _SHA256, Versioned(("v1",)), _BASE64, KeyFormat.WHSEC,
           min_secret_bytes=24, max_secret_bytes=64, source="Standard Webhooks specification, symmetric"),
    Scheme("standard-webhooks-v1a", (_WEBHOOK, _SVIX), "{id}.{ts}.{body}", Algorithm.ED25519, Versioned(("v1a",)),
           _BASE64, KeyFormat.WHPK, source="Standard Webhooks specification, asymmetric"),
    Scheme("svix", (_SVIX, _WEBHOOK), "{id}.{ts}.{body}", _SHA256, Versioned(("v1",)), _BASE64, KeyFormat.WHSEC,
           min_secret_bytes=24, max_secret_bytes=64, source="Svix libraries"),
    # The signed content is documented for DROP only.
    Scheme("datagrail", (_DATAGRAIL,), "{ts}:{body}", _SHA256, Plain(), _BASE64,
           source="DataGrail documentation; the content is inferred from DROP"),
    Scheme("datagrail-drop", (_DATAGRAIL,), "{ts}:{body}", _SHA256, Plain("v1="), _BASE64,
           source="DataGrail documentation"),
    Scheme("shopify", (Names("X-Shopify-Hmac-Sha256"),), "{body}", _SHA256, Plain(), _BASE64, window=None,
           source="Shopify documentation"),
    # A batch is signed over its first element, serialised again: let Segment send single events.
    Scheme("segment", (Names("X-Signature"),), "{body}", Algorithm.HMAC_SHA1, Plain(), window=None, sha1=True,
           source="Segment documentation"),
    Scheme("ketch", (Names("X-Hub-Signature-256"),), "{body}", _SHA256, Plain(), window=None,
           source="Ketch's public webhook client"),
    Scheme("github", (Names("X-Hub-Signature-256"),), "{body}", _SHA256, Plain("sha256="), window=None,
           source="GitHub documentation"),
    Scheme("slack", (Names("X-Slack-Signature", "X-Slack-Request-Timestamp"),), "v0:{ts}:{body}", _SHA256, Plain("v0="),
           source="Slack documentation"),
    Scheme("stripe", (Names("Stripe-Signature"),), "{ts}.{body}", _SHA256, Pairs("v1", "t"),
           source="Stripe documentation"),
    # Paddle's libraries allow five seconds, which a queue on the way does not keep.
    Scheme("paddle", (Names("Paddle-Signature"),), "{ts}:{body}", _SHA256, Pairs("h1", "ts", ";"),
           source="Paddle documentation"),
    Scheme("webflow", (Names("x-webflow-signature", "x-webflow-timestamp"),), "{ts}:{body}", _SHA256, window=_IN_MS,
           source="Webflow documentation"),
    Scheme("consentforge", (Names("X-ConsentForge-Signature", "X-ConsentForge-Timestamp"),), "{ts}.{body}", _SHA256,
           source="ConsentForge documentation"),
    Scheme("cookiewise", (Names("X-Cookiewise-Signature"),), "{body}", _SHA256, window=None,
           source="CookieWise documentation; the encoding is inferred"),
    Scheme("hubspot-v1", (Names("X-HubSpot-Signature"),), "{secret}{body}", Algorithm.DIGEST_SHA256, window=None,
           unseparated=True, source="HubSpot documentation"),
    Scheme("hubspot-v2", (Names("X-HubSpot-Signature"),), "{secret}{method}{url}{body}", Algorithm.DIGEST_SHA256,
           window=None, unseparated=True, source="HubSpot documentation"),
    Scheme("hubspot-v3", (Names("X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"),), "{method}{url}{body}{ts}",
           _SHA256, Plain(), _BASE64, window=_IN_MS, url=UrlForm.DECODED_ESCAPES, unseparated=True,
           source="HubSpot documentation"),
    Scheme("twilio", (Names("X-Twilio-Signature"),), "{url}{form}", Algorithm.HMAC_SHA1, Plain(), _BASE64, window=None,
           url=UrlForm.EITHER_PORT, unseparated=True, sha1=True, source="Twilio documentation and libraries"),
    # Events are sent again for a day, and nothing says that they are signed anew.
    Scheme("sendgrid",
           (Names("X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"),),
           "{ts}{body}", Algorithm.ECDSA_P256, Plain(), _BASE64, KeyFormat.BASE64,
           window=Tolerance(past_s=86_400), unseparated=True, source="SendGrid documentation and libraries"),
    # OneTrust publishes no signature: this one exists where the workflow or a gateway makes it.
    Scheme("onetrust-hmac", (Names("X-OneTrust-Signature", "X-OneTrust-Timestamp"),), "{ts}.{body}", _SHA256,
           source="this product's own convention"),
)
# fmt: on

PRESETS: Final[Mapping[str, Scheme]] = MappingProxyType({row.name: row for row in _ROWS})
