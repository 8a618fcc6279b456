"""The stable reason codes. What each means and how to mend it stands in `catalogue`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Stable reason codes (lower_snake). Documented in docs/errors.md; never renamed."""

    # receiving
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    TOO_MANY_DELIVERIES = "too_many_deliveries"
    CREDENTIAL_MISSING = "credential_missing"
    CREDENTIAL_WRONG = "credential_wrong"
    CREDENTIAL_MALFORMED = "credential_malformed"
    CREDENTIAL_EXPIRED = "credential_expired"
    KEY_UNKNOWN = "key_unknown"
    KEYS_UNAVAILABLE = "keys_unavailable"
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    CLAIM_WRONG = "claim_wrong"
    BODY_DIGEST_WRONG = "body_digest_wrong"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    BODY_UNREADABLE = "body_unreadable"
    BODY_DUPLICATE_KEY = "body_duplicate_key"
    BODY_NOT_AN_OBJECT = "body_not_an_object"
    TEMPLATE_UNRENDERED = "template_unrendered"
    FIELD_INVALID = "field_invalid"
    REQUEST_ID_MISSING = "request_id_missing"
    IDENTITY_MISSING = "identity_missing"
    ROUTE_UNKNOWN = "route_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_ERROR = "internal_error"
    EVENT_CONFLICT = "event_conflict"
    DELIVERY_REPLAYED = "delivery_replayed"
    SUBSCRIPTION_UNCONFIRMED = "subscription_unconfirmed"
    REQUEST_FINISHED = "request_finished"
    # tokens for clients
    TOKEN_REQUEST_INVALID = "token_request_invalid"  # noqa: S105 - a reason code
    GRANT_NOT_SUPPORTED = "grant_not_supported"
    SCOPE_UNKNOWN = "scope_unknown"
    TOO_MANY_TOKEN_REQUESTS = "too_many_token_requests"  # noqa: S105 - a reason code
    # the API
    API_TOKEN_REFUSED = "api_token_refused"  # noqa: S105 - a reason code
    API_SCOPE_MISSING = "api_scope_missing"
    PREVIEW_CHANGED = "preview_changed"
    TOO_MANY_API_CALLS = "too_many_api_calls"
    SUPPRESSION_ILLEGIBLE = "suppression_illegible"
    # store and process
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_BUSY = "store_busy"
    STORE_OUTDATED = "store_outdated"
    STORE_MOVED = "store_moved"
    STORE_INCOMPLETE = "store_incomplete"
    SEALING_KEY_MISSING = "sealing_key_missing"
    PSEUDONYM_KEY_MISSING = "pseudonym_key_missing"
    PSEUDONYM_KEY_NEEDED = "pseudonym_key_needed"
    VALUE_UNREADABLE = "value_unreadable"
    COPY_REFUSED = "copy_refused"
    LOG_DAMAGED = "log_damaged"
    STAMP_REFUSED = "stamp_refused"
    STAMP_WRONG = "stamp_wrong"
    WORKER_ALREADY_RUNNING = "worker_already_running"
    ENGINE_MISMATCH = "engine_mismatch"
    CONFIG_INVALID = "config_invalid"
    REQUEST_UNKNOWN = "request_unknown"
    ILLEGAL_MOVE = "illegal_move"
    # remote systems
    ADDRESS_REFUSED = "address_refused"
    REMOTE_UNREACHABLE = "remote_unreachable"
    REMOTE_FAULT = "remote_fault"
    REMOTE_ANSWER_UNREADABLE = "remote_answer_unreadable"
    REMOTE_RATE_LIMITED = "remote_rate_limited"
    REMOTE_REFUSED = "remote_refused"
    REMOTE_NOT_FOUND = "remote_not_found"
    REMOTE_TOO_LARGE = "remote_too_large"
    REMOTE_NAME_UNKNOWN = "remote_name_unknown"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a reason code
    PERMISSION_MISSING = "permission_missing"
    DELETION_API_NOT_ANSWERED = "deletion_api_not_answered"
    SUBTASK_NOT_IDENTIFIED = "subtask_not_identified"
    # access requests
    ACCESS_DATA_KEPT = "access_data_kept"
    ACCESS_DATA_GONE = "access_data_gone"


class Family(StrEnum):
    """What kind of fault it is, which decides who acts."""

    REJECTED = "rejected"
    TEMPORARY = "temporary"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"
    DEFECT = "defect"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one code means: its family, the HTTP status we answer (0 = never answered), a title and the mend."""

    family: Family
    status: int
    title: str
    mend: str
