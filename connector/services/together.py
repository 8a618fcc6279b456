"""Write down what became of many rows in one commit; a defect in one must not keep all others waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from connector.errors import Temporary
from connector.services.site import Site
from connector.store.columns import Connection

Item = TypeVar("Item")
Result = TypeVar("Result")


def together(
    site: Site,
    step: str,
    items: Sequence[Item],
    request_id: Callable[[Item], str],
    work: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    *,
    point: str = "",
) -> list[tuple[Item, Result]]:
    """Do the work for all items in one commit, and return each with what became of it.

    If that fails, each is done by itself, so that it fails alone; one that fails is said in the log and left out.

    Args:
        request_id: of the request that an item belongs to, for the log.
        point: of `connector.stops`, passed after each commit.

    Raises:
        Temporary: the store cannot be worked with; nothing was done.
    """
    try:
        with site.database.write() as connection:
            results = work(connection, items)
        if point:
            site.reached(point)
    except Temporary:
        raise
    except Exception as error:  # noqa: BLE001 - the next request is not to blame
        if len(items) > 1:
            # Nothing is left of this. One by one it shows whose defect it is.
            return [done for one in items for done in together(site, step, [one], request_id, work, point=point)]
        _say_failed(site, step, request_id(items[0]), error)
        return []
    return list(zip(items, results, strict=True))


def _say_failed(site: Site, step: str, request_id: str, error: Exception) -> None:
    # The class alone: text and traceback may quote the person.
    site.log.error("step_failed", step=step, request_id=request_id, error_class=type(error).__name__)
