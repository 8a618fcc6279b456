"""Look once whether a source knows the configured resolutions: a wrong one shows only at the first report."""

from __future__ import annotations

from connector.errors import ConnectorError
from connector.services.site import Site


def check_resolutions(site: Site) -> None:
    """Say in the log which configured resolutions a source does not list, and which source cannot be asked."""
    for source in site.sources.values():
        if source.extras.resolutions is None or site.stop.is_set():
            continue
        try:
            faults = source.extras.resolutions.faults()
        except ConnectorError as error:
            # It is no reason not to work: a wrong one is heard of at the first report that it is sent with.
            site.log.warning("resolutions_not_checked", source=source.name, code=error.code)
            continue
        for setting, reason in faults.items():
            site.log.warning("resolution_faulty", source=source.name, setting=setting, reason=reason)
