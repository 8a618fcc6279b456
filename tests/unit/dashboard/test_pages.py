"""What the pages show, on either engine, and what none of them shows."""

from __future__ import annotations

import re

import pytest

from connector.web.dashboard import pages
from tests.unit.dashboard.office import Office, csrf_of
from tests.unit.dashboard.test_matrix import routes

MARKERS = ("marker.person@example.com", "marker-loyalty-778", "marker unknown kind")


def filled_with(office: Office) -> None:
    """One request that is carried out, one that is held, one that has just come."""
    office.bench.deliver("done", ("email", MARKERS[0]), ("loyalty id", MARKERS[1]))
    office.bench.run_to_end()
    office.bench.deliver("held", ("shoe size", MARKERS[2]))
    office.bench.run_to_end(passes=2)
    office.bench.deliver("new", ("email", MARKERS[0]))


def ids(page: str) -> list[str]:
    return re.findall(r'href="/requests/([0-9a-f]{32})"', page)


def test_no_page_shows_an_identity(filled: Office) -> None:
    filled_with(filled)
    browser = filled.signed_in()
    listed = ids(browser.get("/requests").text)
    assert len(listed) == 3
    seen = [browser.get(f"/requests/{one}").text for one in listed]
    seen += [browser.get(path).text for _, method, path in routes(filled.app) if method == "GET"]
    seen.append(browser.post("/requests", data={"csrf": csrf_of(browser), "id": MARKERS[0]}).text)
    for page in seen:
        assert not [one for one in MARKERS if one in page]
    assert not [one for one in MARKERS if one in str(filled.bench.log.records)]


def test_the_overview_counts_and_names_what_presses(filled: Office) -> None:
    filled_with(filled)
    browser = filled.signed_in()
    page = browser.get("/").text
    for state in ("completed", "held", "received"):
        assert f"<b>1</b> {state}</a>" in page
    assert "<b>0</b> past their due date" in page
    assert len(ids(page)) == 2, "what is finished presses nobody"
    filled.bench.clock.advance(days=60)
    late = filled.browser()
    late.post("/sign-in", data={"name": "viewer", "password": "correct horse battery staple"})
    assert "<b>2</b> past their due date" in late.get("/").text
    assert late.get("/").text.count('<strong class="late">late</strong>') == 2


def test_a_number_ends_at_the_bound(filled: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_COUNTED", 2)
    for name in ("a", "b", "c"):
        filled.bench.deliver(name, ("email", f"{name}@example.com"))
    assert "<b>2 or more</b> received" in filled.signed_in().get("/").text


def test_pages_follow_each_other_without_a_gap(filled: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PER_PAGE", 2)
    for number in range(5):
        filled.bench.deliver(f"r{number}", ("email", f"r{number}@example.com"))
        filled.bench.clock.advance(hours=number % 2)
    browser, found, path = filled.signed_in(), [], "/requests?state=received"
    while path:
        page = browser.get(path).text
        found.append(ids(page))
        following = re.search(r'<a href="([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert [len(one) for one in found] == [2, 2, 1]
    assert len({one for page in found for one in page}) == 5


def test_the_filters_are_kept_to(filled: Office) -> None:
    filled_with(filled)
    browser = filled.signed_in()
    assert len(ids(browser.get("/requests?state=held").text)) == 1
    assert ids(browser.get("/requests?due=late").text) == []
    assert ids(browser.get("/requests?due=week").text) == []
    filled.bench.clock.advance(minutes=10)
    assert len(ids(browser.get("/requests?due=any").text)) == 3


@pytest.mark.parametrize(
    "query", ["state=gone", "due=never", "after=x", "after=2026-11-02~" + "0" * 32, "after=2026-11-02T00:00:00Z~'"]
)
def test_an_address_that_nobody_was_given_is_refused(office: Office, query: str) -> None:
    assert office.signed_in().get(f"/requests?{query}").status_code == 400


def test_a_request_is_found_by_the_platform_s_id_and_by_ours(filled: Office) -> None:
    filled_with(filled)
    browser = filled.signed_in()
    token = csrf_of(browser)
    (held,) = ids(browser.get("/requests?state=held").text)
    for name in ("held", f" {held} ", held[:12]):
        answer = browser.post("/requests", data={"csrf": token, "id": name})
        assert (answer.status_code, answer.location) == (303, f"/requests/{held}")
    for name in ("", "nobody", "marker.person@example.com"):
        assert browser.post("/requests", data={"csrf": token, "id": name}).status_code == 404
    for unknown in ("0" * 32, "held", held[:12]):
        assert browser.get(f"/requests/{unknown}").status_code == 404


def test_one_request_tells_its_steps_targets_and_reports(filled: Office) -> None:
    filled_with(filled)
    browser = filled.signed_in()
    (done,) = ids(browser.get("/requests?state=completed").text)
    page = browser.get(f"/requests/{done}").text
    timeline = re.findall(r"</time> <b>(\w+)</b>", page)
    assert timeline[0] == "received"
    assert timeline[-1] == "completed"
    for cell in ("user.email", "user.loyalty_id", "loyalty id", "not found", "sent"):
        assert f"<td>{cell}</td>" in page


def test_the_store_s_silence_is_said_in_words(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = office.signed_in()
    monkeypatch.setattr(pages.browse, "counts", lambda *_: 1 / 0)
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert ("dashboard_failed", {"error_class": "ZeroDivisionError"}) in office.bench.log.records


def test_the_style_and_the_icon_are_of_this_origin(office: Office) -> None:
    page = office.browser().get("/sign-in").text
    assert set(re.findall(r'(?:href|src|action)="([^"]+)"', page)) == {
        "/style.css",
        "/icon.svg",
        "/sign-in",
        "#content",
    }
    assert "<script" not in page
    assert " style=" not in page
    assert office.browser().get("/icon.svg").content_type.startswith("image/svg+xml")
    assert office.browser().get("/health/live").text == "live"
