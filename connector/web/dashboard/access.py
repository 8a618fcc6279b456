"""Who may go where: the one table of the dashboard's routes. A route that is not in it is not served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.services.users import Role

#: Endpoint → the least role; None is for everybody, signed in or not.
LEAST_ROLE: Final[Mapping[str, Role | None]] = {
    "style": None,
    "icon": None,
    "live": None,
    "sign_in": None,
    "begin_session": None,
    "end_session": Role.VIEWER,
    "overview": Role.VIEWER,
    "requests": Role.VIEWER,
    "find_request": Role.VIEWER,
    "one_request": Role.VIEWER,
}


def without_rule(endpoints: set[str]) -> list[str]:
    """Return the endpoints that the table does not name."""
    return sorted(endpoints - LEAST_ROLE.keys())
