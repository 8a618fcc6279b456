"""Evidence as a file: under which name, for whom, and what happens where it is not taken."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, RateLimited, Refused, Temporary
from connector.model import Filed
from connector.sandbox.defaults import SUBTASK_NAME
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.filing import OneTrustFiling
from connector.sources.onetrust.request_calls import RequestCalls
from tests.unit.onetrust_reporter.conftest import BASE, TOKEN_URL


@pytest.fixture
def filing(api):
    return OneTrustFiling(api, subtask_name=SUBTASK_NAME)


def files(fake):
    return list(fake.desk.files.values())


def test_the_file_lies_with_the_request_for_our_own_people_only(fake, asked, external, filing):
    filed = filing.file(external, "erasure-1", b"what,which\n")
    (file,) = files(fake)
    assert filed == Filed(file["Id"], "erasure-1.csv")
    assert (file["FileName"], file["Type"], file["RefId"]) == ("erasure-1.csv", 30, asked.queue_id)
    assert (file["IsInternal"], file["content"]) == (True, "what,which\n")


def test_the_requests_uuid_is_read_where_the_callback_had_none(fake, asked, filing):
    assert filing.file({"request_ref": asked.ref_id}, "erasure-1", b"x") is not None
    assert [one["RefId"] for one in files(fake)] == [asked.queue_id]


def test_the_request_is_the_one_that_onetrust_names_not_the_callback(fake, asked, external, filing):
    other = fake.add_request("bo@example.com")
    assert filing.file(external | {"request_id": other.queue_id}, "erasure-1", b"x") is not None
    assert [one["RefId"] for one in files(fake)] == [asked.queue_id]


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_refusal_of_the_file_is_told_from_one_of_the_call(tenant, http, status):
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3600})
    http.post(f"{BASE}/api/document/v2/attachments", status=status)
    calls = RequestCalls(OneTrustApi(tenant.client(), tenant.tokens()))
    assert calls.upload("0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21", "a.csv", b"x") is None


def test_an_extension_that_is_refused_is_replaced_once(fake, external, filing):
    fake.faults.turn_on("extension_refused", "csv")
    filed = filing.file(external, "erasure-1", b"x")
    assert (filed.file_name, fake.calls["attachment_upload"]) == ("erasure-1.txt", 2)


def test_where_no_extension_is_taken_there_is_no_file(fake, api, external):
    fake.faults.turn_on("extension_refused", "txt")
    with pytest.raises(Refused):
        OneTrustFiling(api, extension="txt").file(external, "erasure-1", b"x")
    assert (files(fake), fake.calls["attachment_upload"]) == ([], 1)


@pytest.mark.parametrize("status", ["COMPLETED", "REJECTED", "DELETED", "READY_FOR_REVIEW"])
def test_nobody_waits_for_a_file_once_the_subtask_is_not_ours_any_more(fake, asked, external, filing, status):
    fake.person_sets(asked.subtask_id, status)
    assert filing.file(external, "erasure-1", b"x") is None
    assert fake.calls["attachment_upload"] == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("scope_missing", Refused),
        ("token_expired", None),
        ("rate_limited", RateLimited),
        ("server_error", Temporary),
        ("truncated_json", Temporary),
        ("html_page", Temporary),
        ("drop_after", Temporary),
    ],
)
def test_each_fault_is_told_as_what_it_is(fake, external, filing, fault, kind):
    fake.faults.turn_on(fault, operation="attachment_upload", times=1)
    if kind is not None:
        with pytest.raises(kind):
            filing.file(external, "erasure-1", b"x")
    assert filing.file(external, "erasure-1", b"x") is not None


def test_a_scope_that_is_missing_for_everything_is_an_operators_matter(fake, external, filing):
    fake.faults.turn_on("scope_missing")
    with pytest.raises(Misconfigured):
        filing.file(external, "erasure-1", b"x")


@pytest.mark.parametrize("name", ["Id", "id", "fileId"])
def test_the_id_is_found_under_each_of_its_names(tenant, http, name):
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3600})
    http.post(f"{BASE}/api/document/v2/attachments", status=201, json={name: "file-7"})
    calls = RequestCalls(OneTrustApi(tenant.client(), tenant.tokens()))
    assert calls.upload("0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21", "a.csv", b"x") == "file-7"
    sent = http.calls[-1].request
    assert b'filename="a.csv"' in sent.body
    assert b"text/csv" in sent.body
    about = json.loads(sent.body.split(b'name="attachment"')[1].split(b"\r\n\r\n")[1].split(b"\r\n--")[0])
    assert about["RefIds"] == ["0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21"]


def test_an_answer_without_an_id_is_none(tenant, http):
    http.post(TOKEN_URL, json={"access_token": "token-1", "expires_in": 3600})
    http.post(f"{BASE}/api/document/v2/attachments", status=201, json={"FileName": "a.csv"})
    calls = RequestCalls(OneTrustApi(tenant.client(), tenant.tokens()))
    assert tenant.failure(calls.upload, "0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21", "a.csv", b"x").outcome_unknown


def test_a_token_that_is_refused_for_a_file_is_an_operators_matter(fake, external, filing, monkeypatch):
    def refuse(*_given):
        raise Misconfigured(Code.TOKEN_REFUSED)

    monkeypatch.setattr(RequestCalls, "upload", refuse)
    with pytest.raises(Misconfigured):
        filing.file(external, "erasure-1", b"x")


def test_where_nobody_tells_the_requests_uuid_nothing_is_uploaded(api, fake, asked, filing, monkeypatch):
    read = api.subtask
    monkeypatch.setattr(api, "subtask", lambda *given: replace(read(*given), request_id=""))
    with pytest.raises(Refused):
        filing.file({"subtask_id": asked.subtask_id}, "erasure-1", b"x")
    assert fake.calls["attachment_upload"] == 0


def test_a_file_is_called_what_it_is(api, fake, asked, external, monkeypatch):
    sent, send = [], api.send

    def noted(method, path, **given):
        sent.append(given.get("multipart", {}).get("attachment"))
        return send(method, path, **given)

    monkeypatch.setattr(api, "send", noted)
    about = "Data for an access request"
    data = OneTrustFiling(api, subtask_name=SUBTASK_NAME, extension="txt", about=about)
    assert data.file(external, "access-1", b"{}") is not None
    assert OneTrustFiling(api, subtask_name=SUBTASK_NAME).file(external, "erasure-1", b"{}") is not None
    assert [json.loads(one)["Comments"] for one in sent if one] == [about, "Erasure evidence"]
    assert [one["FileName"] for one in files(fake)] == ["access-1.txt", "erasure-1.csv"]
