"""Reasons for which a delivery is not accepted."""

from __future__ import annotations

from typing import Final

from connector.codes import Code, Entry, Family

ENTRIES: Final[dict[Code, Entry]] = {
    Code.BODY_TOO_LARGE: Entry(
        Family.REJECTED, 413, "The body is over the limit", "Send less, or raise server.max_body_bytes."
    ),
    Code.UNSUPPORTED_CONTENT_TYPE: Entry(
        Family.REJECTED,
        415,
        "The content type is not application/json",
        "Set the header Content-Type: application/json in the workflow's HTTP action.",
    ),
    Code.SOURCE_NOT_ALLOWED: Entry(
        Family.REJECTED,
        403,
        "This source is not accepted here",
        "Check the last part of the URL against the [sources] table, and that the source is enabled.",
    ),
    Code.TOO_MANY_DELIVERIES: Entry(
        Family.REJECTED,
        429,
        "Too many deliveries for this source",
        "Wait as Retry-After says, or raise max_deliveries_per_minute of the source.",
    ),
    Code.CREDENTIAL_MISSING: Entry(
        Family.REJECTED,
        401,
        "A credential that a check needs is missing",
        "Add the header, parameter or token named to what the sender sends, such as a workflow's credential.",
    ),
    Code.CREDENTIAL_WRONG: Entry(
        Family.REJECTED,
        401,
        "The credential or signature does not match",
        "Compare the secret on both sides; a signature is made over the raw body bytes.",
    ),
    Code.CREDENTIAL_MALFORMED: Entry(
        Family.REJECTED,
        401,
        "The credential or signature cannot be read",
        "Check its encoding, prefix and layout against the source's settings.",
    ),
    Code.CREDENTIAL_EXPIRED: Entry(
        Family.REJECTED,
        401,
        "The secret is right, but it does not count at this time",
        "Use the newer secret at the sender, or move not_after or not_before; see `connector keys report`.",
    ),
    Code.KEY_UNKNOWN: Entry(
        Family.REJECTED,
        401,
        "The delivery names a key that is not known for this source",
        "Compare the key id with what the sender publishes, and key address or allowed domain with the settings.",
    ),
    Code.KEYS_UNAVAILABLE: Entry(
        Family.TEMPORARY,
        503,
        "The sender's published keys cannot be had",
        "The sender repeats it; check the key address of the source and the network if it lasts.",
    ),
    Code.ALGORITHM_NOT_ALLOWED: Entry(
        Family.REJECTED,
        401,
        "The signature is of an algorithm that the source does not accept",
        "Compare the algorithm that the sender uses with the check's settings; never allow one because a message asks.",
    ),
    Code.CLAIM_WRONG: Entry(
        Family.REJECTED,
        401,
        "A signed statement is not what the source demands",
        "Compare the claim named with the check's settings, such as issuer, audience, topic or business id.",
    ),
    Code.BODY_DIGEST_WRONG: Entry(
        Family.REJECTED,
        401,
        "The body is not the one that was signed",
        "Find what changes the body on its way: a proxy, or a framework that writes JSON anew.",
    ),
    Code.ADDRESS_NOT_ALLOWED: Entry(
        Family.REJECTED,
        401,
        "The sender's address is not allowed",
        "Compare the source's list of addresses with the sender's published ones, and trusted_proxies with your proxy.",
    ),
    Code.CLIENT_CERTIFICATE_REFUSED: Entry(
        Family.REJECTED,
        401,
        "The client certificate is missing or not the expected one",
        "Check that the proxy asks for a certificate and passes the facts on in the headers of the source's settings.",
    ),
    Code.TIMESTAMP_MISSING: Entry(
        Family.REJECTED,
        401,
        "The time of sending is missing",
        "Send the time where the source's settings expect it: in a header, in the signature, or as a claim.",
    ),
    Code.TIMESTAMP_MALFORMED: Entry(
        Family.REJECTED,
        401,
        "The timestamp cannot be read",
        "Send Unix time in the unit that the source's settings name.",
    ),
    Code.TIMESTAMP_TOO_OLD: Entry(
        Family.REJECTED,
        401,
        "The timestamp is too old",
        "Check the sender's clock; a delivery replayed later must be signed anew.",
    ),
    Code.TIMESTAMP_IN_FUTURE: Entry(
        Family.REJECTED, 401, "The timestamp lies in the future", "Check the clocks of both sides."
    ),
    Code.BODY_UNREADABLE: Entry(
        Family.REJECTED,
        400,
        "The body is not JSON in UTF-8",
        "Escape values that the template inserts, for instance with ?json_string.",
    ),
    Code.BODY_DUPLICATE_KEY: Entry(
        Family.REJECTED, 400, "The body names a key twice", "Remove the second occurrence from the body template."
    ),
    Code.BODY_NOT_AN_OBJECT: Entry(Family.REJECTED, 400, "The body is not a JSON object", "Send one object per call."),
    Code.TEMPLATE_UNRENDERED: Entry(
        Family.REJECTED,
        422,
        "A template placeholder was not rendered",
        "Correct the placeholder in the workflow's body template.",
    ),
    Code.FIELD_INVALID: Entry(
        Family.REJECTED,
        422,
        "A field has a value of the wrong kind",
        "Compare the field with the body contract in docs/onetrust.md, or with the source's own description of it.",
    ),
    Code.REQUEST_ID_MISSING: Entry(
        Family.REJECTED,
        422,
        "Nothing in the delivery identifies the request",
        "Add subTaskId or requestQueueRefId to the body template; in a described platform, correct request_id.",
    ),
    Code.IDENTITY_MISSING: Entry(
        Family.REJECTED,
        422,
        "No identifier with a value is given",
        "Add at least one identifier to the body template; in a described platform, correct identities.",
    ),
    Code.ROUTE_UNKNOWN: Entry(
        Family.REJECTED, 404, "There is nothing at this address", "Callbacks go to /webhooks/<source>."
    ),
    Code.METHOD_NOT_ALLOWED: Entry(
        Family.REJECTED,
        405,
        "This address does not take that method",
        "Deliveries are POSTed; a GET is the connection test.",
    ),
    Code.INTERNAL_ERROR: Entry(
        Family.DEFECT,
        500,
        "The connector has a defect",
        "Nothing was accepted; report it with the log record of that time.",
    ),
    Code.EVENT_CONFLICT: Entry(
        Family.REJECTED,
        409,
        "This eventId was seen before with other content",
        "Give each event its own eventId; a retry repeats the same bytes.",
    ),
    Code.DELIVERY_REPLAYED: Entry(
        Family.REJECTED,
        409,
        "This delivery id or token was used before with other content",
        "Give each delivery its own id or token; a retry repeats the same bytes.",
    ),
    Code.SUBSCRIPTION_UNCONFIRMED: Entry(
        Family.TEMPORARY, 503, "The subscription could not be confirmed", "The sender asks again; check [outbound]."
    ),
    Code.REQUEST_FINISHED: Entry(
        Family.REJECTED,
        409,
        "The request is finished and this call adds identifiers to it",
        "Create a new subtask for the further identifiers.",
    ),
    Code.TOKEN_REQUEST_INVALID: Entry(
        Family.REJECTED,
        400,
        "This is no request for a token as OAuth 2.0 has it",
        "POST a form with grant_type, and the client's id and secret in the form or in Basic; see "
        "docs/verification-oauth2.md.",
    ),
    Code.GRANT_NOT_SUPPORTED: Entry(
        Family.REJECTED, 400, "Tokens are given for client credentials alone", "Send grant_type=client_credentials."
    ),
    Code.SCOPE_UNKNOWN: Entry(
        Family.REJECTED, 400, "There is no such scope", "Leave scope out, or send scope=deliver."
    ),
    Code.TOO_MANY_TOKEN_REQUESTS: Entry(
        Family.REJECTED,
        429,
        "Too many requests for a token by this client",
        "Use a token until it ends, or raise server.max_token_requests_per_minute.",
    ),
    Code.API_TOKEN_REFUSED: Entry(
        Family.REJECTED,
        401,
        "The API takes this token from nobody",
        "Send `Authorization: Bearer TOKEN` with a token of [api.clients] whose time has begun and is not over.",
    ),
    Code.API_SCOPE_MISSING: Entry(
        Family.REJECTED, 403, "The client may not do this", "Use another client, or add the scope to its scopes."
    ),
    Code.PREVIEW_CHANGED: Entry(
        Family.REJECTED,
        409,
        "This is not what waits now",
        "Look at the preview again: something came, went or was approved. Nothing was approved by this call.",
    ),
    Code.TOO_MANY_API_CALLS: Entry(
        Family.REJECTED,
        429,
        "Too many calls by this client",
        "Wait as Retry-After says, or raise api.max_requests_per_minute.",
    ),
}
