"""Reasons that lie in a remote system, or in how we are let in there."""

from __future__ import annotations

from typing import Final

from connector.codes import Code, Entry, Family

ENTRIES: Final[dict[Code, Entry]] = {
    Code.ADDRESS_REFUSED: Entry(
        Family.REFUSED,
        0,
        "An address that a sender chose may not be called",
        "Only https on an allowed host with a public address is called; allow the host if it is right.",
    ),
    Code.REMOTE_UNREACHABLE: Entry(
        Family.TEMPORARY,
        0,
        "The remote system could not be reached",
        "It is tried again; check the network and the configured address if it lasts.",
    ),
    Code.REMOTE_FAULT: Entry(
        Family.TEMPORARY,
        0,
        "The remote system reported a fault of its own",
        "It is tried again; ask the vendor if it lasts.",
    ),
    Code.REMOTE_ANSWER_UNREADABLE: Entry(
        Family.TEMPORARY,
        0,
        "The remote system's answer could not be understood",
        "It is tried again; keep the correlation id for the vendor's support.",
    ),
    Code.REMOTE_RATE_LIMITED: Entry(
        Family.TEMPORARY,
        0,
        "The remote system asks us to slow down",
        "Nothing to do; lower requests_per_second if it lasts.",
    ),
    Code.REMOTE_REFUSED: Entry(
        Family.REFUSED, 0, "The remote system refused the call", "Read the reason in `connector show ID`."
    ),
    Code.REMOTE_NOT_FOUND: Entry(
        Family.REFUSED,
        0,
        "The remote system does not know this",
        "Check the id, the account and the organization of the credential.",
    ),
    Code.REMOTE_TOO_LARGE: Entry(
        Family.REFUSED,
        0,
        "The remote system says that the call is too large",
        "Lower batch_max_values or batch_max_bytes.",
    ),
    Code.REMOTE_NAME_UNKNOWN: Entry(
        Family.MISCONFIGURED,
        0,
        "The remote system does not know a name that the configuration gives",
        "Compare host, base_url, account_id and the mapping's tables with the remote system.",
    ),
    Code.TOKEN_REFUSED: Entry(
        Family.MISCONFIGURED,
        0,
        "The remote system refused our credential",
        "Renew the token and restart web and worker; all work waits meanwhile and nothing is lost.",
    ),
    Code.PERMISSION_MISSING: Entry(
        Family.MISCONFIGURED,
        0,
        "Our credential lacks a permission",
        "Grant the permission named in the guide of that system; check IP restrictions.",
    ),
    Code.DELETION_API_NOT_ANSWERED: Entry(
        Family.MISCONFIGURED,
        0,
        "The account does not answer the configured deletion API",
        "Set deletion_api of the account to the other value.",
    ),
    Code.SUBTASK_NOT_IDENTIFIED: Entry(
        Family.REFUSED,
        0,
        "The subtask to report on cannot be told for certain",
        "Send subTaskId in the callback, or set subtask_name of the source.",
    ),
}
