"""The fake Lytics' tangled profiles: several people's identities on one, which is deleted whole."""

from __future__ import annotations

import pytest

ANA, BO, CY = "ana@example.com", "bo@example.com", "cy@example.com"
LOOK_UP = {"table": "user", "key": "email", "value": ANA}


def keys(call):
    data = call("POST", "/v2/identity/lookup", json=LOOK_UP).json()["data"]
    return sorted((one["key"], one["value"]) for one in data["keys"]), data["entity"]


def test_other_people_s_identities_are_shown_and_find_the_profile(call, lytics):
    lytics.seed("user", "email", BO, user_id="u-2")
    lytics.tangle("user", "email", ANA, email=[BO, CY])
    found, entity = keys(call)
    assert found == [("email", ANA), ("email", BO), ("email", CY), ("user_id", "u-2")]
    assert entity["email"] == ANA
    assert len(lytics.profiles) == 1
    assert lytics.has("user", "user_id", "u-2")


def test_one_identity_deletes_them_all(call, lytics, clock):
    lytics.tangle("user", "email", ANA, email=[BO])
    lytics.tangle("user", "email", ANA, email=[BO])
    call("POST", "/v2/identity/delete", json={"table": "user", "field": "email", "values": [BO]})
    assert lytics.has("user", "email", ANA)
    clock.advance(101)
    assert lytics.profiles == []
    assert not lytics.has("user", "email", ANA)


def test_the_single_path_cannot_resolve_it(call, lytics):
    path = f"/v2/identity/user/email/{ANA}"
    lytics.tangle("user", "email", ANA, email=[BO])
    assert call("DELETE", path).status_code == 404
    lytics.seed("user", "email", CY)
    assert call("DELETE", path.replace(ANA, CY)).status_code == 202


def test_they_come_back_together(call, lytics, clock):
    lytics.tangle("user", "email", ANA, email=[BO])
    lytics.faults.turn_on("comes_back", 60)
    call("POST", "/v2/identity/delete", json={"table": "user", "field": "email", "values": [ANA]})
    clock.advance(161)
    assert lytics.has("user", "email", BO)


def test_they_are_tied_at_run_time(call, lytics):
    item = {"table": "user", "field": "email", "value": ANA, "others": {"user_id": ["u-2", "u-3"]}}
    assert call("POST", "/_sandbox/seed", json=item).json() == {"profiles": 1}
    assert lytics.has("user", "user_id", "u-3")
    with pytest.raises(ValueError, match="no identity"):
        lytics.tangle("user", "email", ANA, first_name=["Bo"])


def test_a_switch_invents_them_and_another_hides_all(call, lytics):
    lytics.seed("user", "email", ANA, first_name="Ana")
    lytics.faults.turn_on("tangled", 2, times=1)
    assert [name for name, _ in keys(call)[0]] == ["email"] * 3
    assert keys(call)[0] == [("email", ANA)]
    lytics.faults.turn_on("identifiers_hidden")
    found, entity = keys(call)
    assert (found, list(entity)) == ([], ["_id"])
