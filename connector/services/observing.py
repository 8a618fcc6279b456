"""Whether an account only observes: then nothing is deleted of its sources, and whatever they are told says so."""

from __future__ import annotations

from connector.services.site import Site, SourceWork


def observes(site: Site, source: SourceWork) -> bool:
    """Say whether nothing is deleted for a source for now."""
    account = site.accounts.get(source.account)
    return account is not None and account.observes
