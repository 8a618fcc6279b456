"""Whatever is sent to `/oauth/token`: an answer of OAuth 2.0, never a defect; a token for the right secret alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.web.receiver import Receiver, receiving
from tests.unit.web.test_tokens import CLIENT, FORM, OLD_SECRET, SECRET, SIGNING_KEY, check

modest = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder = tmp_path_factory.mktemp("tokens")
    settings_of_it = (f"sources.onetrust.verify=[{check(folder)}]", "server.max_token_requests_per_minute=1000000")
    with receiving(f"sqlite:///{folder / 'store.db'}", *settings_of_it) as made:
        yield made


wild = st.text(st.characters(codec="utf-8"), max_size=40)
near = st.sampled_from([CLIENT, SECRET, OLD_SECRET, SIGNING_KEY, "client_credentials", "deliver", "nobody", ""])
fields = st.lists(st.tuples(st.sampled_from([*FORM, "scope", "x"]) | wild, near | wild), max_size=6)
bodies = st.binary(max_size=80) | fields.map(lambda pairs: urlencode(pairs).encode())
schemes = st.sampled_from(["Basic ", "basic ", "Bearer ", "Basic", ""])
pairs = st.tuples(near | wild, near | wild)
basics = pairs.map(lambda pair: base64.b64encode(":".join(pair).encode()).decode())
authorizations = st.none() | st.builds(lambda scheme, rest: scheme + rest, schemes, basics | wild.map(quote_plus))


@modest
@given(body=bodies, authorization=authorizations)
def test_there_is_an_answer_and_no_token_without_the_secret(
    receiver: Receiver, body: bytes, authorization: str | None
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    headers |= {"Authorization": authorization} if authorization is not None else {}
    answer = receiver.client.post("/oauth/token", data=body, headers=headers)
    assert answer.status_code in {200, 400, 401}
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.get_json()
    if answer.status_code == 200:
        shown = body.decode() + base64.b64decode((authorization or "").partition(" ")[2]).decode()
        assert SECRET in shown
        assert CLIENT in shown
    else:
        assert said["error"] in {"invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"}
        assert SECRET not in answer.get_data(as_text=True)


@modest
@given(client_id=near | wild, secret=near | wild)
def test_only_the_live_secret_of_the_client_opens(receiver: Receiver, client_id: str, secret: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    answer = receiver.client.post(
        "/oauth/token", data=urlencode(form), content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code == 200) == ((client_id, secret) == (CLIENT, SECRET))
