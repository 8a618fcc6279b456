"""The tables. Every column that holds a personal value has the type `Personal`, which takes it sealed (`vault`).

Three of them were readable once, under the names that are their keys here. A process of a version from before that,
still running after the upgrade, must not take what is sealed for a value, nor write a readable one: it finds no column.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from connector.model import Presence, SourceStatus
from connector.states import (
    IdentityState,
    OperationState,
    ReportState,
    RequestKind,
    RequestState,
    SubmissionState,
    TargetState,
)
from connector.store.columns import Personal, UtcDateTime, Word

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(32)
NAME = String(64)
HASH_KEY = String(16)


def _index_where(name: str, *columns: str, where: str) -> Index:
    """Return an index of some of the rows. A query has to repeat `where` word for word to be answered by it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


requests = Table(
    "requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source", NAME, nullable=False),
    Column("request_key", String(200), nullable=False),
    Column("state", Word(RequestState), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("attempt", Integer, nullable=False, default=1),
    Column("external", JSON, nullable=False),
    Column("request_types", JSON, nullable=False),
    Column("country", String(2)),
    # What it is carried out as, since it was mapped first; NULL before.
    Column("kind", Word(RequestKind)),
    Column("is_test", Boolean, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("due_basis", String(24), nullable=False),
    Column("mapping_digest", String(64), nullable=False, default=""),
    Column("finished_at", UtcDateTime),
    # Where the source asked to be told; such an address may hold a token or a name.
    Column("sealed_callback_url", Personal, key="callback_url"),
    # When the source is asked next whether it lists the request; NULL where nothing is to be asked. Since when it does.
    Column("confirm_at", UtcDateTime),
    Column("confirm_tries", Integer, nullable=False, default=0, server_default="0"),
    Column("confirmed_at", UtcDateTime),
    # When it answered last; NULL if it never did.
    Column("answered_at", UtcDateTime),
    # When it was warned of that its due date is near; NULL as long as it was not.
    Column("warned_at", UtcDateTime),
    # Answers of the source's form that no rule names and that look like an identity.
    Column("unnamed", Integer, nullable=False, default=0, server_default="0"),
    # When its data key was destroyed, and with it everything personal; and all else but the claims that never end.
    Column("shredded_at", UtcDateTime),
    Column("purged_at", UtcDateTime),
    # The id of the pseudonym key that its identities, targets and fetches are hashed under; empty if they were hashed
    # before keys had ids.
    Column("hash_key", HASH_KEY, nullable=False, default="", server_default=""),
    UniqueConstraint("source", "request_key"),
    Index("ix_requests_state_due_at_id", "state", "due_at", "id"),
    # Held requests by the rules that held them, and requests that wait for the mapping: small parts of a long history.
    _index_where(
        "ix_requests_held_under", "source", "mapping_digest", "id", where="state = 'held' AND confirm_at IS NULL"
    ),
    _index_where("ix_requests_not_mapped", "state", "due_at", "id", where="mapping_digest = '' AND confirm_at IS NULL"),
    _index_where("ix_requests_asked", "source", "confirm_at", "id", where="confirm_at IS NOT NULL"),
    # The sources of which anything was ever completed.
    _index_where("ix_requests_completed", "source", where="state = 'completed'"),
    _index_where("ix_requests_unwarned", "source", "due_at", "id", where="warned_at IS NULL AND finished_at IS NULL"),
    # Open requests by when their source answered last.
    _index_where(
        "ix_requests_answered",
        "source",
        "answered_at",
        "id",
        where="confirm_at IS NULL AND answered_at IS NOT NULL AND finished_at IS NULL",
    ),
    # What can still be read, and what is left of the others, each by when it ended.
    _index_where(
        "ix_requests_readable", "state", "finished_at", "id", where="finished_at IS NOT NULL AND shredded_at IS NULL"
    ),
    _index_where("ix_requests_shredded", "finished_at", "id", where="shredded_at IS NOT NULL AND purged_at IS NULL"),
    # What can be hashed anew.
    _index_where("ix_requests_hash_key", "hash_key", "id", where="shredded_at IS NULL"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source", NAME, nullable=False),
    # The one-time use of a delivery: the sender's event id, else the digest of the body.
    Column("claim_key", String(220), nullable=False),
    Column("body_digest", String(64), nullable=False),
    # Under which pseudonym key; as in `requests`.
    Column("hash_key", HASH_KEY, nullable=False, default="", server_default=""),
    Column("received_at", UtcDateTime, nullable=False),
    Column("sender_time", UtcDateTime),
    Column("principal", String(40), nullable=False),
    Column("secret_id", String(200), nullable=False),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    UniqueConstraint("source", "claim_key"),
    Index("ix_deliveries_request_id", "request_id"),
)

# What tells one signed delivery from every other, claimed once: by keyed hash, because a sender's id may be personal.
replays = Table(
    "replays",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("replay_hash", String(64), primary_key=True),
    Column("body_digest", String(64), nullable=False),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    # After this the check itself refuses the same delivery; NULL if it never does.
    Column("expires_at", UtcDateTime),
    Index("ix_replays_expires_at", "expires_at"),
    Index("ix_replays_request_id", "request_id"),
)

identities = Table(
    "identities",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("sealed_value", Personal, nullable=False, key="value"),
    Column("value_hash", String(64), nullable=False),
    Column("state", Word(IdentityState), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    # The hash is made over kind and value, so the pair is what may not come twice.
    UniqueConstraint("request_id", "value_hash"),
)

targets = Table(
    "targets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("identity_id", ForeignKey("identities.id"), nullable=False),
    Column("account", NAME, nullable=False),
    Column("lytics_table", NAME, nullable=False),
    Column("field", NAME, nullable=False),
    Column("sealed_value", Personal, nullable=False, key="value"),
    Column("value_hash", String(64), nullable=False),
    Column("state", Word(TargetState), nullable=False),
    Column("reason", String(200), nullable=False, default=""),
    Column("due_at", UtcDateTime, nullable=False),
    # What the look-up said before anything was submitted; NULL until it was asked.
    Column("known_before", Word(Presence)),
    # How many identifiers it found on the profile that the request does not name: the most of one field, NULL if that
    # cannot be told; and by field, NULL if there are none.
    Column("strangers", Integer),
    Column("strangers_in", JSON(none_as_null=True)),
    Column("submission_id", ForeignKey("submissions.id")),
    Column("operation_id", ForeignKey("operations.id")),
    Column("tries", Integer, nullable=False, default=0),
    # How many of its operations failed or were lost at Lytics: after the first it is submitted once more.
    Column("failures", Integer, nullable=False, default=0),
    # A refused batch is halved: its targets come back with half its size as their limit.
    Column("batch_cap", Integer),
    # When this target is looked at next, and how often it was in its present state.
    Column("next_at", UtcDateTime, nullable=False),
    Column("looks", Integer, nullable=False, default=0),
    Column("entered_at", UtcDateTime, nullable=False),
    # When a person let it be handed to Lytics, where somebody has to.
    Column("approved_at", UtcDateTime),
    # What waits for a person, and what has that word: small parts of a long history.
    _index_where("ix_targets_unapproved", "account", "id", where="approved_at IS NULL AND state = 'queued'"),
    _index_where(
        "ix_targets_approved", "account", "due_at", "id", where="approved_at IS NOT NULL AND state = 'queued'"
    ),
    # What is with Lytics by when it is looked at next, and what waits for Lytics by urgency: a backlog is read from its
    # beginning, however long it is.
    _index_where("ix_targets_followed", "account", "state", "next_at", "id", where="operation_id IS NOT NULL"),
    _index_where("ix_targets_looked_up", "account", "state", "due_at", "id", where="known_before IS NOT NULL"),
    _index_where("ix_targets_not_looked_up", "account", "state", "due_at", "id", where="known_before IS NULL"),
    Index("ix_targets_request_id_state", "request_id", "state"),
    Index("ix_targets_submission_id", "submission_id"),
    Index("ix_targets_operation_id", "operation_id"),
    Index("ix_targets_value_hash", "value_hash"),
    Index("ix_targets_identity_id", "identity_id"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", NAME, nullable=False),
    Column("deletion_api", String(24), nullable=False),
    Column("lytics_table", NAME, nullable=False),
    Column("field", NAME, nullable=False),
    Column("state", Word(SubmissionState), nullable=False),
    Column("reason", String(200), nullable=False, default=""),
    Column("size", Integer, nullable=False),
    # Over the sorted hashes of the exact values sent, and under which pseudonym key they were made.
    Column("fingerprint", String(64), nullable=False),
    Column("hash_key", HASH_KEY, nullable=False, default="", server_default=""),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("correlation_id", String(128), nullable=False, default=""),
    Index("ix_submissions_state_account", "state", "account"),
)

operations = Table(
    "operations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", NAME, nullable=False),
    Column("submission_id", ForeignKey("submissions.id"), nullable=False),
    Column("remote_id", String(255), nullable=False),
    Column("state", Word(OperationState), nullable=False),
    Column("word", String(40), nullable=False, default=""),
    Column("requested", Integer),
    Column("deleted", Integer),
    Column("polls", Integer, nullable=False, default=0),
    Column("next_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("missing_since", UtcDateTime),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("account", "remote_id"),
    Index("ix_operations_account_state_next_at", "account", "state", "next_at"),
    Index("ix_operations_submission_id", "submission_id"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("source", NAME, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("status", Word(SourceStatus), nullable=False),
    Column("comment", Text, nullable=False),
    Column("state", Word(ReportState), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    # The source's id of the evidence file, its name there and its digest.
    Column("evidence", JSON(none_as_null=True)),
    # When people at the source are told again that the work goes on; only for a progress report.
    Column("remind_at", UtcDateTime),
    # One progress and one final report per attempt of a request.
    UniqueConstraint("request_id", "attempt", "final"),
    Index("ix_reports_source_state_next_at", "source", "state", "next_at"),
    Index("ix_reports_state_request_id", "state", "request_id"),
    _index_where("ix_reports_reminded", "source", "remind_at", "id", where="remind_at IS NOT NULL"),
)

history = Table(
    "history",
    metadata,
    # A number, because several moves may have the same time and their order is evidence.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("state", Word(RequestState), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("attempt", Integer, nullable=False),
    # Its place in the audit log; NULL until it is there.
    Column("log_index", Integer),
    Index("ix_history_request_id_id", "request_id", "id"),
    _index_where("ix_history_not_logged", "id", where="log_index IS NULL"),
)
