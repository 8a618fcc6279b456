"""What the marked person goes through: every feature of the product, each by itself.

Every function brings its site to where something can be seen, and says if it did not get there.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from connector.engine.embedded import EmbeddedEngine
from connector.engine.schedule import STEPS
from connector.private import Private
from connector.sandbox.defaults import SUBTASK_NAME
from connector.services import backstop, shred
from connector.services.users import Role, UserFile
from connector.wiring.dashboard import dashboard_app
from tests.acceptance.canary import IDENTIFIERS, PERSON, Api, Watched
from tests.acceptance.journey import load_shipped
from tests.support.canary import MARKERS, value_of

EMAIL = value_of("email")
A_DAY = 86_400.0
WHY = ("--reason", "ticket 4711", "--by", "ada")
EVIDENCE = ('sources.onetrust.report.complete_with="complete"', "sources.onetrust.report.evidence.enabled=true")
ACCESS = ("Data Access",)


def state(watch: Watched, asked: Any) -> tuple[str, str]:
    request = watch.life.dossier(asked).request
    return str(request.state), request.reason


def shown(watch: Watched, command: str, *arguments: str) -> Any:
    return json.loads(watch.run(*command.split(), *arguments, "--json"))


def deleted_and_shredded(watch: Watched) -> None:
    """With evidence filed; then everything personal is destroyed, and later the record."""
    asked = watch.deletes()
    assert {value for _, value in watch.life.submitted()} >= {EMAIL.lower(), value_of("loyalty id")}
    watch.saw("evidence that is filed", json.dumps(list(watch.life.onetrust.desk.files.values())))
    assert watch.life.onetrust.desk.files
    watch.saw("what OneTrust was told", json.dumps([one for one in watch.life.onetrust.history(asked.subtask_id)
                                                   if one["by"] == "api"]))  # fmt: skip
    watch.life.pass_time(31 * A_DAY)
    while shred.shred(watch.life.site):
        continue
    assert watch.life.dossier(asked).request.shredded_at is not None


def held_for_what_nobody_mapped(watch: Watched) -> None:
    asked = watch.ask(identifiers={**IDENTIFIERS, value_of("shoe size")[:4]: value_of("shoe size")})
    watch.life.accept(asked)
    watch.life.run_for(4)
    assert state(watch, asked)[0] == "held"


def tangled_and_released(watch: Watched) -> None:
    watch.life.lytics.tangle("user", "email", EMAIL.lower(), email=[value_of("stranger")], phone=["1", "2"])
    asked = watch.ask()
    watch.life.accept(asked)
    watch.life.run_for(8, seconds=600)
    assert state(watch, asked) == ("held", "tangled_profile")
    watch.run("release", asked.subtask_id, *WHY)
    watch.told(asked)
    assert watch.life.status(asked) == "COMPLETED"


def held_by_law(watch: Watched) -> None:
    file = watch.folder / "holds.txt"
    file.write_text(f"{EMAIL}\n{value_of('telephone')}\n", encoding="utf-8")
    watch.run("hold", "add", "--file", str(file), *WHY)
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.told(asked)
    assert watch.life.status(asked) == "REJECTED"
    watch.run("hold", "remove", "--file", str(file), *WHY)


def previewed_and_approved(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.life.run_for(4, seconds=60)
    (seen,) = shown(watch, "preview", "--examples", "1000")
    assert seen["parts"]
    watch.run("preview", "--examples", "1000")
    api = Api(watch)
    assert api.get("accounts/main/preview?examples=1000").json()["digest"] == seen["digest"]
    answer = api.post("accounts/main/approvals", {"digest": seen["digest"], "reason": "ticket 4711"})
    assert answer.status_code == 200
    watch.told(asked)
    assert watch.life.status(asked) == "COMPLETED"


def stopped_by_a_fuse(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.life.run_for(6, seconds=60)
    assert [one["name"] for one in shown(watch, "status")["fuses"]] == ["onetrust"]
    watch.run("resume", "--all", "--allow", "100", *WHY)
    watch.told(asked)
    assert watch.life.status(asked) == "COMPLETED"


def failed_and_replayed(watch: Watched) -> None:
    """Lytics fails it twice, so it is a dead letter; a person sends it on its way again, and later drops another."""
    watch.life.lytics.faults.turn_on("deletion_failed")
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.told(asked, seconds=400)
    assert watch.life.status(asked) == "FAILED"
    (letter,) = shown(watch, "dlq list")["letters"]
    watch.run("dlq", "show", letter["id"])
    watch.life.lytics.faults.turn_off()
    watch.run("dlq", "replay", "--all", *WHY[:2])
    watch.life.run_for(12, seconds=400)
    assert state(watch, asked) == ("completed", "")


def reported_in_vain(watch: Watched) -> None:
    """OneTrust takes no report for good, and says in its refusals who it is about."""
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.life.onetrust.faults.turn_on("error_shape", value="text")
    watch.life.onetrust.faults.turn_on("not_found", operation="subtask_status")
    watch.life.run_for(20, seconds=4000)
    assert state(watch, asked)[0] == "completed"
    watch.run("dlq", "list")


def asked_again(watch: Watched) -> None:
    """The same request is fired again after a failure, and once more under the other address of the person."""
    watch.life.lytics.faults.turn_on("deletion_failed")
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    watch.told(asked, seconds=400)
    watch.life.lytics.faults.turn_off()
    watch.life.accept(asked)
    watch.life.run_for(12, seconds=400)
    assert state(watch, asked)[0] == "completed"
    watch.life.onetrust.desk.requests[asked.ref_id].email = value_of("second email")
    watch.life.fire(asked)
    watch.life.run_for(3)


def missed_and_found(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask()
    backstop.backstop(watch.life.site)
    watch.told(asked)
    assert watch.life.status(asked) == "COMPLETED"


def handed_over(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask(request_types=ACCESS)
    watch.life.accept(asked)
    watch.told(asked)
    (file,) = watch.life.onetrust.desk.files.values()
    assert EMAIL.lower() in file["content"]
    watch.saw("the name of a file that is filed", file["FileName"])
    watch.saw("the last comment", watch.life.last_comment(asked))


def exported_by_an_operator(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask(request_types=ACCESS)
    watch.life.accept(asked)
    watch.life.run_for(4)
    request_id = watch.life.dossier(asked).request.id
    watch.run("access", "show", request_id)
    file = watch.folder / "data.json"
    watch.run("access", "export", request_id, "--to", str(file), *WHY)
    assert PERSON.find(file.read_bytes())
    file.unlink()
    watch.told(asked)


def back_again(watch: Watched) -> None:
    watch.deletes()
    watch.knows()
    watch.life.run_for(1, seconds=A_DAY)
    watch.life.run_for(10, seconds=300)
    assert not watch.life.lytics.has("user", "email", EMAIL.lower())
    watch.run("suppression", "list")


def asked_by_collectors(watch: Watched) -> None:
    watch.deletes()
    api = Api(watch)
    people = [{"kind": "email", "value": one} for one in (EMAIL, value_of("second email"))]
    assert api.post("suppression/check", {"account": "main", "identities": people}).json() == {
        "suppressed": [True, False]
    }
    for wrong in (
        {"account": EMAIL, "identities": people},
        {"account": "main", "identities": [{"kind": EMAIL, "value": EMAIL}]},
        {"account": "main", "identities": [EMAIL]},
        [EMAIL],
    ):
        assert api.post("suppression/check", wrong).status_code // 100 == 4
    assert api.get(f"suppression/accounts/{EMAIL}/filter").status_code == 404
    assert api.get("suppression/accounts/main/filter").status_code == 200
    file = watch.folder / "main.filter"
    watch.run("suppression", "export", "--output", str(file))
    watch.saw("a filter", file.read_bytes())
    asked = watch.folder / "asked.txt"
    asked.write_text(f"{EMAIL}\n{value_of('second email')}\n", encoding="utf-8")
    assert watch.run("suppression", "check", "--kind", "email", "--file", str(asked)).split() == ["yes", "no"]
    watch.run("suppression", "end", "--kind", "email", "--file", str(asked), *WHY, status=1)


def given_receipts(watch: Watched) -> None:
    asked = watch.deletes()
    watch.life.run_for(3)
    for name, form in (("receipt", ()), ("certificate", ("--html",))):
        file = watch.folder / name
        watch.run("receipt", "export", asked.subtask_id, *form, "--output", str(file))
        watch.saw(f"a {name}", file.read_bytes())
    watch.run("receipt", "show", asked.subtask_id)
    for path in ("/.well-known/jwks.json", "/health/live", "/health/ready"):
        assert requests.get(watch.url + path, timeout=20).status_code == 200
    watch.run("audit", "verify")
    watch.run("audit", "checkpoint")
    watch.run("audit", "proof", "--entry", "0")


def sealed_anew(watch: Watched) -> None:
    watch.knows()
    asked = watch.ask()
    watch.life.accept(asked)
    ring = f'store.sealing_keys=["file:{watch.folder}/next-sealing", "file:{watch.folder}/sealing"]'
    watch.run("keys", "rotate", more=(ring,))
    watch.run("keys", "sealing", more=(ring,))
    # With one key only, nothing can be read; what is said about that names it and does not show it.
    watch.run("keys", "sealing", more=(f'store.sealing_keys=["file:{watch.folder}/sealing"]',), status=None)


def looked_at_in_the_dashboard(watch: Watched) -> None:
    asked = watch.deletes()
    UserFile(watch.folder / "users.json").put("ann", Role.VIEWER, Private(value_of("dashboard password")))
    config = load_shipped(watch.settings)
    browser = dashboard_app(config, watch.life.site).test_client()

    def seen(answer: Any) -> Any:
        watch.saw(f"a page of the dashboard, {answer.request.path}", answer.data)
        # Its cookie is the browser's own.
        watch.saw("headers of the dashboard", str([one for one in answer.headers if one[0] != "Set-Cookie"]))
        return answer

    for name, password in (
        ("ann", EMAIL),
        (EMAIL, value_of("dashboard password")),
        (value_of("dashboard password"), "ann"),
    ):
        assert seen(browser.post("/sign-in", data={"name": name, "password": password})).status_code == 403
    signed_in = browser.post("/sign-in", data={"name": "ann", "password": value_of("dashboard password")})
    assert seen(signed_in).status_code == 303
    overview = seen(browser.get("/")).text
    found = re.search(r'name="csrf" value="([^"]+)"', overview)
    assert found is not None
    csrf = found[1]
    for typed in (EMAIL, value_of("telephone"), value_of("first name")):
        assert seen(browser.post("/requests", data={"csrf": csrf, "id": typed})).status_code == 404
    one = seen(browser.post("/requests", data={"csrf": csrf, "id": asked.subtask_id}))
    assert seen(browser.get(one.location)).status_code == 200
    assert seen(browser.get("/requests")).status_code == 200
    for wrong in (f"/requests?state={EMAIL}", f"/requests?after={EMAIL}", f"/requests/{EMAIL}", f"/{EMAIL}"):
        assert seen(browser.get(wrong)).status_code // 100 == 4


def told_of_a_consent(watch: Watched) -> None:
    """An event of the consent modules holds a password and a magic link, and is answered without being kept."""
    event = {
        "eventType": "3010",
        "eventId": "0b0c4b1a-5c8e-4d0f-9f43-6f0b9b1f7a01",
        "messageKey": EMAIL,
        "payload": {
            "dataSubjectEmail": EMAIL,
            "contactFields": {
                "Password": value_of("password of the person"),
                "MagicLink": value_of("magic link"),
                "FirstName": value_of("first name"),
            },
        },
    }
    assert watch.post(json.dumps(event).encode()) // 100 == 2
    assert shown(watch, "status")["deliveries"] == 0


def told_nonsense(watch: Watched) -> None:
    """Every kind of bad input, each with the marked person in it: what is answered and logged says nothing of them."""
    every = {one.name: one.value for one in MARKERS}
    good = {
        "subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
        "requestTypes": ["Data Deletion"],
        "identifiers": {"email": EMAIL, **IDENTIFIERS},
    }
    body = json.dumps(good).encode()
    wrong = {
        "no JSON": EMAIL.encode(),
        "JSON that ends": body[:-20],
        "no UTF-8": body + EMAIL.encode("utf-16"),
        "a key twice": json.dumps(good)[:-1].encode() + f', "{EMAIL}": 1, "{EMAIL}": 2}}'.encode(),
        "a list": json.dumps([good]).encode(),
        "a text": json.dumps(EMAIL).encode(),
        "too deep": b"[" * 5000 + EMAIL.encode(),
        "too large": json.dumps(good | {"more": EMAIL * 20_000}).encode(),
        "an id that is a person": json.dumps(good | {"subTaskId": EMAIL}).encode(),
        "a person as label": json.dumps(good | {"identifiers": {EMAIL: {"a": EMAIL}}}).encode(),
        "a label twice": json.dumps(good | {"identifiers": {EMAIL: "1", EMAIL.lower(): [EMAIL, EMAIL]}}).encode(),
        "a long label": json.dumps(good | {"identifiers": {EMAIL * 20: EMAIL}}).encode(),
        "a long value": json.dumps(good | {"identifiers": {"email": EMAIL * 400}}).encode(),
        "a placeholder": json.dumps(good | {"identifiers": {"email": f"${{{EMAIL}}}"}}).encode(),
        "another schema": json.dumps(good | {"schema": EMAIL}).encode(),
        "another event": json.dumps(good | {"event": EMAIL}).encode(),
        "a deadline that is none": json.dumps(good | {"deadline": EMAIL}).encode(),
        "a country that is none": json.dumps(good | {"countryCode": EMAIL}).encode(),
        "a test flag that is none": json.dumps(good | {"testRequest": EMAIL}).encode(),
        "nobody": json.dumps({**every, "subTaskId": good["subTaskId"], "identifiers": {}}).encode(),
    }
    for name, content in wrong.items():
        assert watch.post(content) // 100 in {2, 4}, name
    for headers in (
        {"X-OneTrust-Signature": f"sha256={value_of('header')}"},
        {"X-OneTrust-Signature": value_of("webhook secret")},
        {"X-OneTrust-Timestamp": value_of("header")},
        {"Content-Type": f"text/{EMAIL}"},
        {"Content-Encoding": value_of("header")},
        {"X-Anything": value_of("header")},
    ):
        assert watch.post(body, **headers) // 100 in {2, 4}
    url = watch.url
    for path in (
        f"/webhooks/{EMAIL}",
        f"/webhooks/{value_of('telephone')}",
        f"/{EMAIL}",
        f"/webhooks/onetrust?{EMAIL}={EMAIL}",
        f"/api/v1/accounts/{EMAIL}",
    ):
        answer = requests.post(url + path, body, headers={"Authorization": f"Bearer {value_of('header')}"}, timeout=20)
        assert answer.status_code // 100 == 4, path
    watch.life.run_for(3)


def hit_by_defects(watch: Watched) -> None:
    """The product itself fails, with the marked person in the text of what is raised."""

    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError(" ".join(one.value for one in MARKERS))

    def failing(name: str, act: Callable[[], Any]) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(name, fails)
            return act()

    watch.knows()
    asked = watch.ask()
    fired = failing("connector.services.intake.due_date", lambda: watch.life.fire(asked))
    assert [one.status for one in fired] == [500]
    watch.life.accept(asked)
    engine = EmbeddedEngine(watch.life.site, 1.0)
    # In the order of a life: what failed is done again by the next round, which then comes as far as the next place.
    for name in (
        "connector.services.listed.doubt",
        "connector.services.map.apply_rules",
        "connector.lytics.lookup._found",
        "connector.lytics.identity_delete.object_of",
        "connector.services.settle.outcome_of",
        "connector.services.receipts.statement",
    ):
        for step in STEPS:
            failing(name, functools.partial(engine._guarded, step))
        watch.life.clock.advance(seconds=700)
    watch.take_streams()
    written = b"".join(content for _, content in watch.seen).decode()
    assert written.count('"error_class": "ValueError"') + written.count("internal_error") > 4
    for command in ("status", "doctor", "hold list", "show x"):
        failing("connector.store.schema.require_current", functools.partial(watch.run, *command.split(), status=None))
    failing("connector.store.overview.find", lambda: watch.run("show", asked.subtask_id, status=2))
    watch.told(asked, seconds=400)


FEATURES: Mapping[Callable[[Watched], None], tuple[str, ...]] = {
    deleted_and_shredded: EVIDENCE,
    # What OneTrust lists itself, and no rule names, is counted and not looked at.
    held_for_what_nobody_mapped: ("sources.onetrust.read_back.enabled=false",),
    tangled_and_released: (*EVIDENCE, "accounts.main.tangled_above=1"),
    held_by_law: (),
    previewed_and_approved: ('accounts.main.approval="always"',),
    stopped_by_a_fuse: ("sources.onetrust.fuse.max_values=1",),
    failed_and_replayed: EVIDENCE,
    reported_in_vain: (),
    asked_again: (),
    missed_and_found: (f'sources.onetrust.backstop={{system_name="{SUBTASK_NAME}"}}',),
    handed_over: (
        'sources.onetrust.access.types=["Data Access"]',
        'sources.onetrust.access.delivery="attach"',
        'sources.onetrust.report.complete_with="complete"',
    ),
    exported_by_an_operator: (
        'sources.onetrust.access.types=["Data Access"]',
        'sources.onetrust.access.delivery="export"',
    ),
    back_again: ('sources.onetrust.watch="delete"',),
    asked_by_collectors: (),
    given_receipts: (),
    sealed_anew: (),
    looked_at_in_the_dashboard: (),
    told_of_a_consent: (),
    hit_by_defects: (),
    told_nonsense: ("sources.onetrust.read_back.enabled=false",),
}
