"""Tokens: one for many calls, renewed in time, once after a refusal, and never shown."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from responses import matchers

from connector.codes import Code
from connector.errors import Misconfigured, RateLimited, Refused, Temporary
from connector.sources.onetrust.token import base_url_of, check_host
from tests.unit.onetrust_reporter.conftest import TOKEN_URL

FIELDS = {"grant_type": "client_credentials", "client_id": "client-1", "client_secret": "client-very-secret"}


def issue(http, number, expires_in=3599, **options):
    body = {"access_token": f"token-{number}", "token_type": "bearer", "expires_in": expires_in, "ot-scopes": "DSAR"}
    http.post(TOKEN_URL, json=body, **options)


def test_the_credential_travels_as_multipart_by_default(tenant, http):
    parts = {name: (None, value) for name, value in FIELDS.items()}
    issue(http, 1, match=[matchers.multipart_matcher(parts), matchers.query_param_matcher({})])
    assert tenant.tokens().token().reveal() == "token-1"


def test_the_credential_travels_as_a_form_when_the_setting_says_so(tenant, http):
    issue(http, 1, match=[matchers.urlencoded_params_matcher(FIELDS), matchers.query_param_matcher({})])
    assert tenant.tokens(as_form=True).token().reveal() == "token-1"


def test_a_token_is_kept_until_a_minute_before_its_end(tenant, http):
    issue(http, 1)
    tokens = tenant.tokens()
    first = tokens.token()
    tenant.clock.advance(seconds=3599 - 60 - 1)
    assert tokens.token() is first
    issue(http, 2)
    tenant.clock.advance(seconds=1)
    assert tokens.token().reveal() == "token-2"


@pytest.mark.parametrize(
    ("expires_in", "life_s"),
    [(None, 840), ("120", 60), (120.9, 60), ("soon", 840), (True, 840), (-5, 840), (10**9, 366 * 86_400 - 60), (30, 0)],
)
def test_a_life_in_any_shape_is_bounded(tenant, http, expires_in, life_s):
    issue(http, 1, expires_in)
    tokens = tenant.tokens()
    tokens.token()
    if life_s:
        tenant.clock.advance(seconds=life_s - 1)
        tokens.token()
        assert len(http.calls) == 1
        tenant.clock.advance(seconds=2)
    tokens.token()
    assert len(http.calls) == 2


def test_a_refused_token_is_renewed_once_for_all_who_held_it(tenant, http):
    issue(http, 1)
    tokens = tenant.tokens()
    old = tokens.token()
    issue(http, 2)
    assert tokens.token(refused=old).reveal() == "token-2"
    assert tokens.token(refused=old).reveal() == "token-2"
    assert len(http.calls) == 2


def test_threads_that_come_together_fetch_one_token(tenant, http):
    issue(http, 1)
    tokens, barrier, found = tenant.tokens(), threading.Barrier(4), []

    def call():
        barrier.wait(10)
        found.append(tokens.token().reveal())

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["token-1"] * 4
    assert len(http.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (202, Temporary, Code.REMOTE_ANSWER_UNREADABLE),
        (400, Misconfigured, Code.TOKEN_REFUSED),
        (401, Misconfigured, Code.TOKEN_REFUSED),
        (403, Misconfigured, Code.PERMISSION_MISSING),
        (404, Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (405, Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (418, Refused, Code.REMOTE_REFUSED),
        (302, Refused, Code.REMOTE_REFUSED),
        (429, RateLimited, Code.REMOTE_RATE_LIMITED),
        (500, Temporary, Code.REMOTE_FAULT),
        (503, Temporary, Code.REMOTE_FAULT),
    ],
)
def test_what_a_refusal_by_the_token_endpoint_means(tenant, http, status, kind, code):
    http.post(TOKEN_URL, status=status, json={"error_description": "client-very-secret"})
    error = tenant.failure(tenant.tokens().token)
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize("body", [[], {}, {"access_token": ""}, {"access_token": 7}, {"access_token": "token-1\nX: y"}])
def test_an_answer_without_a_usable_token_is_tried_again(tenant, http, body):
    http.post(TOKEN_URL, json=body)
    assert tenant.failure(tenant.tokens().token).code is Code.REMOTE_ANSWER_UNREADABLE


def test_a_failed_renewal_leaves_no_old_token_in_use(tenant, http):
    issue(http, 1)
    tokens = tenant.tokens()
    old = tokens.token()
    http.post(TOKEN_URL, status=503)
    tenant.failure(tokens.token, refused=old)
    issue(http, 2)
    http.remove("POST", TOKEN_URL)
    issue(http, 3)
    assert tokens.token().reveal() == "token-3"


def test_time_is_taken_before_the_call_so_that_a_slow_answer_shortens_the_life(tenant, http):
    def slow(_request):
        tenant.clock.advance(seconds=100)
        return 200, {}, '{"access_token": "token-1", "expires_in": 3600}'

    http.add_callback("POST", TOKEN_URL, slow)
    tokens = tenant.tokens()
    tokens.token()
    assert tokens._renew_at == tenant.clock.now() - timedelta(seconds=100) + timedelta(seconds=3540)


@pytest.mark.parametrize("host", ["app-eu.onetrust.com", "Example.My.OneTrust.com", "uat.onetrust.com"])
def test_a_full_host_name_is_taken_as_it_is(host):
    assert check_host(host) == host.lower()
    assert base_url_of(host) == f"https://{host.lower()}"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "app-eu",
        "localhost",
        "https://app-eu.onetrust.com",
        "app-eu.onetrust.com/",
        "app-eu.onetrust.com:443",
        "app-eu.onetrust.com?a",
        "app-eu.onetrust.com#a",
        "user@app-eu.onetrust.com",
        "app-eu.onetrust.com.",
        ".onetrust.com",
        "app_eu.onetrust.com",
        "-app.onetrust.com",
        "app-eu.onetrust.com\n",
        " app-eu.onetrust.com",
        "127.0.0.1",
        "[::1]",
        "a." * 130 + "com",
    ],
)
def test_anything_but_a_bare_host_name_is_refused(tenant, host):
    error = tenant.failure(check_host, host)
    assert (type(error), error.code) == (Misconfigured, Code.CONFIG_INVALID)


def test_another_base_url_is_for_rehearsals_on_this_machine_only(tenant):
    assert base_url_of("app-eu.onetrust.com", "http://127.0.0.1:8092/") == "http://127.0.0.1:8092"
    for url in ("https://app-eu.example.com", "http://10.0.0.1"):
        assert tenant.failure(base_url_of, "app-eu.onetrust.com", url).code is Code.CONFIG_INVALID
