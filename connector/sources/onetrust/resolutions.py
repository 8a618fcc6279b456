"""Whether OneTrust knows the resolutions that are configured: a wrong one shows only when a completion is refused."""

from __future__ import annotations

from collections.abc import Mapping

from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.request_calls import OF_SUBTASKS, RequestCalls


class OneTrustResolutions:
    """Fulfils `ports.ResolutionCheck`.

    Args:
        configured: the name of each setting, and its resolution id; empty ones are left out.
    """

    def __init__(self, api: OneTrustApi, configured: Mapping[str, str]) -> None:
        self._calls = RequestCalls(api)
        self._configured = {name: one.lower() for name, one in configured.items() if one}

    def faults(self) -> Mapping[str, str]:
        """Return which settings name a resolution that OneTrust does not list, or not for subtasks."""
        if not self._configured:
            return {}
        known = self._calls.resolutions()
        return {
            name: "not_of_subtasks" if one in known else "not_listed"
            for name, one in self._configured.items()
            # The number has been seen as text in answers of the same kind.
            if str(known.get(one)) != str(OF_SUBTASKS)
        }
