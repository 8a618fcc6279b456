"""Every switch of the sandbox is turned on over HTTP while the product works, and the right end comes all the same.

A switch that is new in the catalogue and has no trial here fails the first test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox.fake import TRANSPORT_SWITCHES, Fake
from connector.sandbox.faults import Switch
from connector.sandbox.lytics import SWITCHES as LYTICS_SWITCHES
from connector.sandbox.onetrust import SWITCHES as ONETRUST_SWITCHES
from connector.sandbox.onetrust_calls import KNOBS
from connector.services import tangles
from connector.store.audit import Decision
from tests.acceptance.journey import Journey, journey

pytestmark = pytest.mark.soak

QUEUE = 'accounts.main.deletion_api="identity-queue"'
COMPLETE = 'sources.onetrust.report.complete_with="complete"'
EVIDENCE = "sources.onetrust.report.evidence.enabled=true"
# What the product calls of each fake.
LYTICS_CALLS = ("lookup_post", "delete_submit", "delete_status", "delete_list")
ONETRUST_CALLS = ("token", "subtask_get", "subtask_status")
IMPATIENT = ("accounts.main.timeout_s=0.3", "sources.onetrust.report.timeout_s=0.3")


@dataclass(frozen=True)
class Trial:
    """How a switch is tried, and what has to come of it.

    Attributes:
        on: what is sent to `/_sandbox/faults` beside the name, once for each.
        settings: of the product.
        told: what OneTrust is told in the end.
        while_on: what OneTrust may have been told at most while the switch was on; None if also the end.
        answers: the statuses of the callbacks that were sent while it was on.
        most: how often a value may be in an accepted deletion call.
        gone: whether Lytics has nobody of them in the end.
        takes_s: how long a deletion takes.
        released: whether a person has to let the requests pass.
    """

    on: tuple[Mapping[str, Any], ...] = ({},)
    settings: tuple[str, ...] = ()
    told: str = "COMPLETED"
    while_on: str | None = None
    answers: frozenset[int | None] = frozenset({202})
    most: int = 1
    gone: bool = True
    takes_s: float = 0.0
    people: int = field(default=1)
    released: bool = False


def once(*operations: str, **more: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple({"operation": one, "times": 1, **more} for one in operations)


# By the switches of both fakes, of what they do on the way.
TRANSPORT: Mapping[str, dict[str, Any]] = {
    "latency": {"value": 1.0},
    "slow_answer": {"value": 0.05},
    "rate_limited": {"value": 60},
}
SLOW = frozenset({"latency", "slow_answer"})

LYTICS: Mapping[str, Trial] = {
    "token_expired": Trial(while_on="IN_PROGRESS"),
    "address_refused": Trial(while_on="IN_PROGRESS"),
    "forbidden": Trial(while_on="IN_PROGRESS"),
    "refuse_in_values": Trial(settings=(QUEUE,), while_on="IN_PROGRESS"),
    "identity_delete_off": Trial(({"value": 404}, {"value": 405}), while_on="IN_PROGRESS"),
    "identity_queue_off": Trial(({"value": 404}, {"value": 405}), (QUEUE,), while_on="IN_PROGRESS"),
    "too_large": Trial(({"value": 1},), people=5),
    "body_dropped": Trial(settings=(QUEUE,), told="FAILED", gone=False),
    "data_null": Trial(once("lookup_post", "delete_submit", "delete_status")),
    "deletion_failed": Trial(({"times": 1},), most=2),
    "stuck": Trial(while_on="IN_PROGRESS"),
    "deleted_fewer": Trial(told="FAILED", gone=False),
    "still_present": Trial(told="FAILED", gone=False),
    "comes_back": Trial(gone=False),
    "lookup_lags": Trial(),
    "tangled": Trial(while_on="IN_PROGRESS", released=True),
    "identifiers_hidden": Trial(),
    "unknown_state": Trial(while_on="IN_PROGRESS"),
    "no_counts": Trial(),
    "id_forgotten": Trial(while_on="IN_PROGRESS"),
    "submit_shape": Trial(
        tuple({"value": one, "times": 1} for one in LYTICS_SWITCHES["submit_shape"].choices), people=7
    ),
    "status_shape": Trial(({"value": "profiles"}, {"value": "state"})),
    "list_shape": Trial(({"value": "wrapped"},)),
    "value_lost": Trial(({"times": 1},), (QUEUE,)),
    # An answer that contradicts itself is no yes.
    "value_in_both": Trial(({"times": 1},), (QUEUE,), told="FAILED"),
    "keys_lowercased": Trial(settings=(QUEUE,)),
    "error_objects": Trial(settings=(QUEUE,)),
    "completed_without_done": Trial(settings=(QUEUE,)),
    "old_id_after_return": Trial(settings=(QUEUE,)),
    # What an erasure sees of them; what an access request makes of them stands in test_access.py.
    "pii_redacted": Trial(({"value": "absent"}, {"value": "marked"})),
    "v1_not_found": Trial(),
    "idconfig_set": Trial(),
    "table_unknown": Trial(while_on="IN_PROGRESS"),
    "field_unknown": Trial(while_on="IN_PROGRESS"),
    "field_no_identity": Trial(while_on="IN_PROGRESS"),
}

ONETRUST: Mapping[str, Trial] = {
    "token_refused": Trial(while_on=""),
    "address_refused": Trial(while_on=""),
    "wrong_organization": Trial(while_on=""),
    "scopes_untold": Trial(),
    "token_expired": Trial(while_on=""),
    "token_short_lived": Trial(({"value": 1},)),
    "scope_missing": Trial(while_on=""),
    "error_shape": Trial(tuple({"value": one} for one in ONETRUST_SWITCHES["error_shape"].choices)),
    "deprecation_warning": Trial(),
    "not_found": Trial(),
    "visibility_delay": Trial(),
    "bare_array": Trial(),
    "date_format": Trial(({"value": "seconds"}, {"value": "micros"})),
    "packed_types": Trial(),
    "timer_as_number": Trial(),
    "closed_conflict": Trial(),
    "complete_refused": Trial(settings=(COMPLETE,)),
    "retry_after_missing": Trial(),
    "complete_comments_only": Trial(settings=(COMPLETE,)),
    "extension_refused": Trial(settings=(COMPLETE, EVIDENCE)),
    # What OneTrust sends.
    "client_timeout": Trial(({"value": 0.0001},), answers=frozenset({None})),
    "retries": Trial(),
    "duplicate": Trial(({"value": 3},)),
    "apply_each": Trial(({"value": "own"},)),
    "out_of_order": Trial(people=3),
    "dead_letter": Trial(answers=frozenset(), while_on=""),
    "unescaped_quote": Trial(answers=frozenset({400}), while_on=""),
    "unrendered_placeholder": Trial(answers=frozenset({422}), while_on=""),
    "wrong_secret": Trial(answers=frozenset({401}), while_on=""),
    "missing_header": Trial(answers=frozenset({401}), while_on=""),
    "old_timestamp": Trial(answers=frozenset({401}), while_on=""),
    "future_timestamp": Trial(answers=frozenset({401}), while_on=""),
    "replayed_body": Trial(),
    "oversized_body": Trial(answers=frozenset({413}), while_on=""),
    "text_plain": Trial(answers=frozenset({415}), while_on=""),
    "tampered_body": Trial(answers=frozenset({401}), while_on=""),
    "doubled_event_id": Trial(answers=frozenset({202, 409})),
}


def transport(name: str, calls: tuple[str, ...], *, lytics: bool) -> Trial:
    on = once(*calls, **TRANSPORT.get(name, {}))
    if lytics:
        # The list is asked only for a call whose outcome was lost.
        on = (*on, {"name": "server_error_after", "operation": "delete_submit", "times": 1, "after": 1})
    return Trial(on, IMPATIENT if name in SLOW else (), most=2)


TRIALS: Mapping[tuple[str, str], Trial] = {
    **{("lytics", one): transport(one, LYTICS_CALLS, lytics=True) for one in TRANSPORT_SWITCHES},
    **{("onetrust", one): transport(one, ONETRUST_CALLS, lytics=False) for one in TRANSPORT_SWITCHES},
    **{("lytics", name): trial for name, trial in LYTICS.items()},
    **{("onetrust", name): trial for name, trial in ONETRUST.items()},
    ("lytics", "clock_off"): Trial(({"value": 3600},), most=2),
    ("onetrust", "clock_off"): Trial(({"value": -3600},), answers=frozenset({401}), while_on=""),
    ("onetrust", "rate_limited"): Trial((*once(*ONETRUST_CALLS, value=30), *once(*ONETRUST_CALLS, value=0))),
}
CASES = [
    pytest.param(where, name, place, id=f"{where}-{name}-{place}")
    for (where, name), trial in TRIALS.items()
    for place in range(1 if "times" in trial.on[0] else len(trial.on))
]


@pytest.mark.parametrize(("where", "switches"), [("lytics", LYTICS_SWITCHES), ("onetrust", ONETRUST_SWITCHES)])
def test_every_switch_of_the_catalogue_has_a_trial(where: str, switches: Mapping[str, Switch]) -> None:
    assert {name for place, name in TRIALS if place == where} == set(switches)
    assert set(KNOBS) <= set(ONETRUST)


def sent(fake: Fake, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Call one of the run-time routes, as somebody does who rehearses."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, f"{fake.url}/_sandbox/{path}", json=body, timeout=20)
    assert answer.status_code < 300, answer.text
    return answer.json()


def told(life: Journey, subtasks: list[str]) -> set[str]:
    return {one["status"] for name in subtasks for one in life.onetrust.history(name) if one["by"] == "api"}


@pytest.mark.parametrize(("where", "name", "place"), CASES)
def test_the_product_survives(tmp_path: Path, where: str, name: str, place: int) -> None:
    trial = TRIALS[where, name]
    # Switches that act once are turned on together; of those that last, the second would have no say.
    on = trial.on if "times" in trial.on[0] else (trial.on[place],)
    settings = ("accounts.main.confirm_for_s=3000", "accounts.main.batch_wait_s=0", *trial.settings)
    with journey(f"sqlite:///{tmp_path / 'store.db'}", *settings, finish_after_s=trial.takes_s) as life:
        fake: Fake = life.lytics if where == "lytics" else life.onetrust
        emails = [f"person-{number}@example.com" for number in range(trial.people)]
        asked = [life.ask(email) for email in emails]
        subtasks = [one.subtask_id for one in asked]
        for email in emails:
            life.knows(email)
        life.knows("bystander@example.com")

        for one in on:
            sent(fake, "POST", "faults", {"name": name, **one})
        fired = sent(life.onetrust, "POST", "fire", {"subTaskIds": subtasks})["deliveries"]
        assert {one["status"] for one in fired} == trial.answers
        life.run_for(8)
        life.run_for(4, seconds=400)
        if trial.while_on is not None:
            assert told(life, subtasks) <= {trial.while_on}

        sent(fake, "DELETE", "faults")
        sent(life.lytics, "POST", "release")
        sent(life.onetrust, "POST", "replay")
        if trial.released:
            assert life.calls() == []
            decision = Decision("operator", "ticket 12", life.clock.now())
            assert {tangles.release(life.site, life.dossier(one).request.id, decision) for one in asked} == {""}
        if any(life.status(one) == "OPEN" for one in asked):
            # What was spoiled is sent once more, as a person would have it sent.
            sent(life.onetrust, "POST", "fire", {"subTaskIds": subtasks})
        life.run_until_told(*asked, seconds=400)
        life.run_for(3, seconds=4000)

        assert [life.status(one) for one in asked] == [trial.told] * trial.people
        assert all(life.written(one).count(trial.told) == 1 for one in asked)
        assert [email for email in emails if life.lytics.has("user", "email", email)] == ([] if trial.gone else emails)
        assert life.lytics.has("user", "email", "bystander@example.com")
        assert max(life.submitted().values(), default=0) <= trial.most
        assert {value for _, value in life.submitted()} <= set(emails)
