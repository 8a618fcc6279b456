"""The dashboard's application factory: sign-in, the rule of each route, and what every answer carries."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import ConnectorError
from connector.private import Private
from connector.services.site import Site
from connector.services.users import NAME, UserFile
from connector.store.schema import require_current
from connector.web.dashboard import pages
from connector.web.dashboard.access import LEAST_ROLE, without_rule
from connector.web.dashboard.sessions import Session, Sessions, Throttle

_COOKIE: Final = "connector_session"
_MAX_FORM_BYTES: Final = 16_384
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {
    # Nothing but our own style and pictures; no script at all.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser would call the origin of our own forms "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SAID: Final = {
    400: "The form was not understood",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "This address does not take that",
    413: "The form is too large",
    429: "Too many tries",
    503: "The store is not ready",
}


def create_dashboard(
    site: Site, users: UserFile, idle: timedelta, longest: timedelta, sign_ins_per_minute: int
) -> Flask:
    """Build the dashboard.

    Args:
        idle: a session that is quiet for so long ends.
        longest: every session ends so long after its sign-in.
        sign_ins_per_minute: tries of one name that are looked at.
    """
    app = Flask("connector.web.dashboard", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_FORM_BYTES
    app.jinja_env.filters.update(pages.FILTERS)
    sessions = Sessions(users, site.clock, idle, longest)
    _guard(app, sessions)
    _answer_errors(app, site)
    _sign_in(app, site, users, sessions, Throttle(sign_ins_per_minute, site.clock))
    pages.install(app, site)

    @app.get("/style.css")
    def style() -> AnyResponse:
        return _file(app, "dashboard.css", "text/css; charset=utf-8")

    @app.get("/icon.svg")
    def icon() -> AnyResponse:
        return _file(app, "icon.svg", "image/svg+xml")

    @app.get("/health/live")
    def live() -> AnyResponse:
        require_current(site.database)
        return Response("live", content_type="text/plain")

    missing = without_rule(set(app.view_functions))
    assert not missing, f"routes without a rule: {missing}"
    return app


def _file(app: Flask, name: str, content_type: str) -> AnyResponse:
    with app.open_resource(f"static/{name}", "rb") as file:
        return Response(file.read(), content_type=content_type)


def _guard(app: Flask, sessions: Sessions) -> None:
    @app.before_request
    def may_it() -> AnyResponse | None:
        g.session = sessions.find(request.cookies.get(_COOKIE, ""))
        if request.endpoint is None:
            return None
        least = LEAST_ROLE[request.endpoint]
        if request.method == "POST":
            _require_our_own_form()
        if least is None:
            return None
        session: Session | None = g.session
        if session is None:
            return redirect(url_for("sign_in"), 303)
        if session.user.role < least:
            abort(403)
        if request.method == "POST" and not hmac.compare_digest(
            request.form.get("csrf", "").encode(), session.csrf.encode()
        ):
            abort(403)
        return None

    @app.after_request
    def carry(response: Response) -> Response:
        response.headers.update(_HEADERS)
        if request.endpoint not in {"style", "icon"}:
            # A page of somebody who signed out must not come back with the browser's back button.
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.context_processor
    def known() -> dict[str, object]:
        return {"session": g.get("session")}


def _require_our_own_form() -> None:
    """Refuse what another site's page sends: the sign-in has no session yet whose token could tell."""
    origin = request.headers.get("Origin")
    from_elsewhere = origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
    if from_elsewhere or request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        abort(403)


def _answer_errors(app: Flask, site: Site) -> None:
    def page(status: int, said: str, mend: str = "") -> tuple[str, int]:
        return render_template("error.html", status=status, said=said, mend=mend), status

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[str, int]:
        status = error.code or 500
        return page(status, _SAID.get(status, "That did not work"))

    @app.errorhandler(ConnectorError)
    def typed(error: ConnectorError) -> tuple[str, int]:
        site.log.error("dashboard_failed", code=error.code)
        return page(503, error.entry.title, error.entry.mend)

    @app.errorhandler(Exception)
    def defect(error: Exception) -> tuple[str, int]:
        site.log.error("dashboard_failed", error_class=type(error).__name__)
        return page(500, "That did not work")


def _sign_in(app: Flask, site: Site, users: UserFile, sessions: Sessions, throttle: Throttle) -> None:
    @app.get("/sign-in")
    def sign_in() -> AnyResponse | str:
        if g.session is not None:
            return redirect(url_for("overview"), 303)
        return render_template("sign_in.html", refused=False)

    @app.post("/sign-in")
    def begin_session() -> AnyResponse | tuple[str, int]:
        name = request.form.get("name", "").strip()
        # All that is no name counts as one, so that made-up words do not fill the memory.
        if not throttle.passes(name if NAME.fullmatch(name) else ""):
            site.log.warning("sign_in_refused", reason="too_many")
            abort(429)
        user = users.signed_in(name, Private(request.form.get("password", "")))
        if user is None:
            # Not with the name that was typed: it may be a password in the wrong field.
            site.log.warning("sign_in_refused", reason="no_match")
            return render_template("sign_in.html", refused=True), 403
        sessions.end(request.cookies.get(_COOKIE, ""))
        answer = redirect(url_for("overview"), 303)
        answer.set_cookie(_COOKIE, sessions.begin(user), httponly=True, samesite="Strict", secure=_is_remote())
        site.log.info("signed_in", user=user.name)
        return answer

    @app.post("/sign-out")
    def end_session() -> AnyResponse:
        sessions.end(request.cookies.get(_COOKIE, ""))
        answer = redirect(url_for("sign_in"), 303)
        answer.delete_cookie(_COOKIE, httponly=True, samesite="Strict", secure=_is_remote())
        return answer


def _is_remote() -> bool:
    """Tell whether the browser called another machine: there its cookie travels by TLS alone."""
    return urlsplit(f"//{request.host}").hostname not in _LOOPBACK
