"""Fixed credentials and ports of a rehearsal. They open nothing but the fakes and a connector set up for rehearsing."""

from __future__ import annotations

from typing import Final

LYTICS_PORT: Final = 8091
ONETRUST_PORT: Final = 8092
TIME_AUTHORITY_PORT: Final = 8093
RECEIVER_PORT: Final = 8080

LYTICS_TOKEN: Final = "at.sandbox.rehearsal-token-not-a-secret"
LYTICS_EXPIRED_TOKEN: Final = "at.sandbox.expired-token-not-a-secret"
LYTICS_READ_ONLY_TOKEN: Final = "at.sandbox.read-only-token-not-a-secret"

ONETRUST_CLIENT_ID: Final = "sandbox-client"
ONETRUST_CLIENT_SECRET: Final = "sandbox-client-secret-not-a-secret"
ONETRUST_API_KEY: Final = "sandbox-opaque-api-key-not-a-secret"

WEBHOOK_SECRET: Final = "sandbox-webhook-secret-not-a-secret-0123456789"
SOURCE: Final = "onetrust"
SUBTASK_NAME: Final = "CDP erasure connector"
WORKFLOW_ID: Final = "6f1d9a52-5d0e-4b4b-8f70-3c1f8a2f9e10"
