"""The pages themselves. They read; every query is bounded, and no personal value is read at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from connector.services.site import Site
from connector.states import OPEN_REQUESTS, RequestState
from connector.store import browse
from connector.store import overview as store_overview
from connector.store.browse import Wanted

#: Where counting ends, and how many requests a page lists.
MOST_COUNTED: Final = 1000
PER_PAGE: Final = 50
STATES: Final = tuple(one.value for one in RequestState)
_PRESSING: Final = 10
_OUR_ID: Final = re.compile("[0-9a-f]{32}")
_MAX_SEARCHED: Final = 200
_CALLED: Final = {"any": "any time", "late": "past", "week": "within 7 days"}


def _at(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}\u202fUTC" if value is not None else "-"


def _number(value: int) -> str:
    return f"{value:,}" if value < MOST_COUNTED else f"{MOST_COUNTED:,} or more"


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "-").replace("_", " ")


def _late(row: Any, now: datetime) -> bool:
    return row.state in OPEN_REQUESTS and row.due_at < now


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {"at": _at, "number": _number, "word": _word, "late": _late}


def install(app: Flask, site: Site) -> None:
    """Add the pages."""

    @app.get("/")
    def overview() -> str:
        now = site.clock.now()
        with site.database.read() as connection:
            counts = browse.counts(connection, now, MOST_COUNTED)
            pressing = store_overview.needing_attention(connection, now, _PRESSING)
        return render_template("overview.html", counts=counts, pressing=pressing, now=now)

    @app.get("/requests")
    def requests() -> str:
        now = site.clock.now()
        state, due = request.args.get("state", ""), request.args.get("due", "any")
        if (state and state not in STATES) or due not in _CALLED:
            abort(400)
        wanted = _wanted(state, due, now)
        with site.database.read() as connection:
            rows = browse.page(connection, wanted, PER_PAGE + 1)
        shown, more = rows[:PER_PAGE], len(rows) > PER_PAGE
        after = f"{shown[-1].due_at.isoformat()}~{shown[-1].id}" if more else ""
        return render_template(
            "requests.html",
            rows=shown,
            now=now,
            state=state,
            due=due,
            states=STATES,
            dues=_CALLED,
            following=url_for("requests", state=state, due=due, after=after) if more else "",
            is_first=wanted.after is None,
        )

    @app.post("/requests")
    def find_request() -> AnyResponse | tuple[str, int]:
        # In the body, so that whatever is typed here stands in no address, history or log.
        name = request.form.get("id", "").strip()[:_MAX_SEARCHED]
        with site.database.read() as connection:
            rows = store_overview.find_by_key(connection, name) if name else []
        if len(rows) != 1:
            return render_template("not_found.html", several=len(rows) > 1), 404
        return redirect(url_for("one_request", request_id=rows[0].id), 303)

    @app.get("/requests/<request_id>")
    def one_request(request_id: str) -> str:
        if not _OUR_ID.fullmatch(request_id):
            abort(404)
        with site.database.read() as connection:
            rows = store_overview.find_by_key(connection, request_id)
            if not rows or rows[0].id != request_id:
                abort(404)
            dossier = store_overview.dossier(connection, rows[0])
        return render_template("one_request.html", it=dossier.request, dossier=dossier, now=site.clock.now())


def _wanted(state: str, due: str, now: datetime) -> Wanted:
    """Return what the filters of the address mean; what is due is open."""
    states = (RequestState(state),) if state else tuple(RequestState)
    if due != "any":
        states = tuple(one for one in states if one in OPEN_REQUESTS)
    begin, end = {"any": (None, None), "late": (None, now), "week": (now, now + browse.SOON)}[due]
    return Wanted(states, begin, end, _after(request.args.get("after", "")))


def _after(text: str) -> tuple[datetime, str] | None:
    """Return the due date and id at which the page before ended."""
    if not text:
        return None
    at, _, last = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        abort(400)
    if moment.tzinfo is None or not _OUR_ID.fullmatch(last):
        abort(400)
    return moment, last
