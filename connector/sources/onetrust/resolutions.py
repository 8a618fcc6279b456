"""Whether OneTrust knows the resolutions that are configured: a wrong one shows only when a completion is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.outbound import json_of, path_of
from connector.sources.onetrust.api import OneTrustApi, items_of

#: The type of a resolution that a subtask may have (vendor page: Get Resolutions).
OF_SUBTASKS: Final = 20
_CHOSEN: Final = {"language": "en-us", "includeSubTaskResolutions": "true"}


class OneTrustResolutions:
    """Compares what is configured with OneTrust's own list.

    Args:
        configured: the name of each setting, and its resolution id; empty ones are left out.
    """

    def __init__(self, api: OneTrustApi, configured: Mapping[str, str]) -> None:
        self._api = api
        self._configured = {name: one.lower() for name, one in configured.items() if one}

    def faults(self) -> Mapping[str, str]:
        """Return which settings name a resolution that OneTrust does not list, or not for subtasks."""
        if not self._configured:
            return {}
        known = self._known()
        return {
            name: "not_of_subtasks" if one in known else "not_listed"
            for name, one in self._configured.items()
            # The number has been seen as text in answers of the same kind.
            if str(known.get(one)) != str(OF_SUBTASKS)
        }

    def _known(self) -> Mapping[str, object]:
        answer = self._api.call("GET", path_of("api", "datasubject", "v2", "resolutions"), params=_CHOSEN)
        items: list[Any] = [*items_of(json_of(answer))]
        return {str(one.get("id")).lower(): one.get("type") for one in items if isinstance(one, dict)}
