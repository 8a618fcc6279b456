"""Everything that the doctor can find: how bad it is, what it means, its mend. Told to people in docs/doctor.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.errors import ConnectorError


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"  # it could not be looked at


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding means, and what to do about it."""

    level: Level
    means: str
    mend: str = ""


def _fine(means: str) -> Kind:
    return Kind(Level.OK, means)


def _warning(means: str, mend: str) -> Kind:
    return Kind(Level.WARN, means, mend)


def _fault(means: str, mend: str) -> Kind:
    return Kind(Level.FAIL, means, mend)


def _untold(means: str, mend: str) -> Kind:
    return Kind(Level.UNKNOWN, means, mend)


# Id → kind. Ids are stable: monitors ask for them.
KINDS: Final[dict[str, Kind]] = {
    # here
    "configuration_fine": _fine("the configuration can be used"),
    "configuration_faulty": _fault(
        "the configuration cannot be used", "mend every line that is named; `connector config check` repeats them"
    ),
    "secrets_fine": _fine("the secrets are long and varied enough"),
    "secret_weak": _warning(
        "a secret is short, or of few different characters",
        "make one with `openssl rand -hex 32`; docs/rotation.md",
    ),
    "secret_public": _fault(
        "a secret of the rehearsal, which is public, is used with a real Lytics", "make a new one; docs/rotation.md"
    ),
    "secret_shared": _warning(
        "one secret is used in two places: whoever learns it in one has both", "give each place a secret of its own"
    ),
    "secret_ended": _fault("no secret of a check counts now", "add one that does; docs/rotation.md"),
    "secret_ending": _warning("the last secret of a check ends within 14 days", "add its successor; docs/rotation.md"),
    "store_fine": _fine("the store answers and is up to date"),
    "store_absent": _warning("there is no store yet", "run `connector db upgrade`, or start `connector run`"),
    "store_unreachable": _fault("the store does not answer", "check store.url, the disk, and the database server"),
    "store_outdated": _fault("the store's schema is not current", "run `connector db upgrade`"),
    "sealing_key_missing": _fault(
        "a key that the store's values are sealed with is not in store.sealing_keys",
        "put it back beside the others; `connector keys sealing` shows which one is wanted",
    ),
    "pseudonym_key_missing": _fault(
        "a pseudonym key is missing without which somebody who was deleted, or is held, would be forgotten",
        "put it back into store.other_pseudonym_keys; `connector keys pseudonyms` shows which one is wanted",
    ),
    "pseudonym_key_needed": _fine("a former pseudonym key is still needed"),
    "pseudonym_key_in_use": _warning(
        "requests are still hashed under a former pseudonym key", "run `connector keys rotate pseudonym`"
    ),
    "pseudonym_key_idle": _warning(
        "a pseudonym key recognises nothing", "take it out of store.other_pseudonym_keys, unless it is one to come"
    ),
    "deadlines_fine": _fine("no open request is due within 7 days"),
    "deadline_near": _warning("open requests are due within 7 days", "see `connector status --list 20`"),
    "deadline_passed": _fault("open requests are past their due date", "see `connector status --list 20`"),
    "values_refused_alike": _fault(
        "Lytics refused every value lately, all for the same reason",
        "a token without Entity: Delete does that, and a wrong field; see docs/lytics.md",
    ),
    # Lytics
    "account_unused": _warning("no source uses the account", "remove it, or name it in a source"),
    "lytics_troubled": _untold(
        "Lytics answers with a fault of its own, or asks to slow down", "ask again later; lower requests_per_second"
    ),
    "lytics_fine": _fine("Lytics answers"),
    "lytics_unreachable": _fault("Lytics does not answer", "check base_url, name resolution, firewall and proxy"),
    "lytics_not_itself": _fault(
        "something answers that is not Lytics", "check base_url; a proxy or a login page may stand in between"
    ),
    "lytics_clock_off": _warning("our clock and that of Lytics differ", "let a time service set this machine's clock"),
    "lytics_token_fine": _fine("the token is accepted"),
    "lytics_token_kind": _warning(
        "the token does not look like one of Lytics", "compare it with the one that Lytics showed"
    ),
    "lytics_token_refused": _fault("the token is refused", "check it, its account and the account's list of addresses"),
    "lytics_token_expired": _fault("the token has expired", "make a new one, and replace the old one's reference"),
    "lytics_permission_missing": _fault("the token lacks a permission", "give it Entity: Delete; see docs/lytics.md"),
    "lytics_account_unknown": _fault("the account is not known, or not to this token", "check account_id"),
    "deletion_api_fine": _fine("the account answers the configured deletion API"),
    "deletion_api_other": _fault(
        "the account does not answer the configured deletion API", "set deletion_api to the other one"
    ),
    "deletion_api_none": _fault("the account answers neither deletion API", "ask Lytics' support which it has"),
    "deletion_api_untold": _untold("which deletion API the account answers cannot be told", "send one test request"),
    "schema_fine": _fine("every mapped field is an identity of the account"),
    "schema_lacks_table": _fault("a mapped table is not in the account's schema", "correct the mapping rule's table"),
    "schema_lacks_field": _fault("a mapped field is not in the account's schema", "correct the mapping rule's field"),
    "schema_no_identity": _fault(
        "a mapped field is no identity in the account", "map to a field that is one, or make it one in Lytics"
    ),
    "schema_untold": _untold("the account's schema cannot be read", "give the token v2_schema_view"),
    # OneTrust
    "onetrust_fine": _fine("OneTrust answers"),
    "onetrust_troubled": _untold(
        "OneTrust answers with a fault of its own, or asks to slow down", "ask again later; lower requests_per_second"
    ),
    "onetrust_unreachable": _fault("OneTrust does not answer", "check host, name resolution, firewall and proxy"),
    "onetrust_not_itself": _fault(
        "something answers that is not OneTrust", "check host; a proxy or a login page may stand in between"
    ),
    "onetrust_clock_off": _warning(
        "our clock and that of OneTrust differ", "let a time service set this machine's clock"
    ),
    "onetrust_token_fine": _fine("OneTrust gives a token"),
    "onetrust_credential_refused": _fault(
        "OneTrust gives no token", "check client id, client secret, and that they are of this environment"
    ),
    "onetrust_address_refused": _fault(
        "OneTrust refuses the credential from here", "add this machine's address to the credential's IP restriction"
    ),
    "onetrust_scopes_fine": _fine("the credential has the scopes that are needed"),
    "onetrust_scope_missing": _fault(
        "the credential lacks a scope",
        "make a credential with DSAR_READ and DSAR_WRITE, and ATTACHMENT for evidence files",
    ),
    "onetrust_scopes_untold": _untold("the token does not name its scopes", "see the read of the subtasks below"),
    "onetrust_read_fine": _fine("the credential may read subtasks"),
    "onetrust_read_refused": _fault(
        "the credential may not read subtasks", "give it DSAR_READ, in the organization of the requests"
    ),
    "onetrust_nothing_listed": _warning(
        "OneTrust lists no subtask of a system within a year",
        "check in which organization the credential was made, and backstop.system_name; fine where there never was one",
    ),
    "resolutions_fine": _fine("OneTrust lists every configured resolution for subtasks"),
    "resolution_unknown": _fault(
        "OneTrust does not list a configured resolution for subtasks", "correct the id under report.resolutions"
    ),
    "resolutions_untold": _untold("the resolutions cannot be read", "give the credential DSAR_READ; ask again later"),
    # the time-stamping authority
    "stamps_fine": _fine("the time-stamping authority gives stamps that hold"),
    "stamps_unreachable": _warning(
        "the time-stamping authority does not answer", "check proof.stamps.url, name resolution and firewall"
    ),
    "stamps_refused": _warning(
        "the time-stamping authority gives no stamp",
        "check proof.stamps.policy and hash, and how often it may be asked",
    ),
    "stamps_wrong": _fault(
        "the authority's stamp does not hold",
        "check proof.stamps.trusted and url, and this machine's clock; see docs/audit-log.md",
    ),
    "crashed": _untold("a check of the doctor failed itself", "please report it, with the class that is named"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part of an installation; never an identity or a secret.

    Attributes:
        id: of `KINDS`.
        subject: which part: an account, a source, a secret's reference.
        found: what was seen, in a few words; empty where the kind says it all.
    """

    id: str
    subject: str = ""
    found: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS[self.id]


def told(error: ConnectorError) -> str:
    """Return what an error of ours says; a vendor's own words are in none."""
    return f"{error.code}: {error.detail}" if error.detail else error.code
