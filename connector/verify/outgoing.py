"""The key of our own webhooks, read as strictly as those of senders: Standard Webhooks, symmetric."""

from __future__ import annotations

from typing import Final

from connector.private import Secret
from connector.verify.key_format import make_key
from connector.verify.keys import MacKey
from connector.verify.presets import PRESETS

_SCHEME: Final = PRESETS["standard-webhooks"]


def webhook_key(secret: Secret) -> MacKey:
    """Return what a secret signs with: `whsec_` and base64, or base64 alone, of 24 to 64 bytes.

    Raises:
        Misconfigured: it is none; names its id only.
    """
    scheme = _SCHEME
    key = make_key(secret, scheme.algorithm, scheme.key, scheme.min_secret_bytes, scheme.max_secret_bytes)
    assert isinstance(key, MacKey)
    return key
