"""Whether a profile may be several people's: how many identifiers are on it that a request does not name. Pure.

Lytics deletes a whole profile, whichever of its identifiers is given. Counts are all that ever leaves this module.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connector.mapping.rules import RuleSet
from connector.model import Presence
from connector.policy.sameness import loose_form
from connector.private import Private
from connector.sighting import Sighting

# Cookies: one person has many of them, and several people none in common.
_COOKIES: Final = frozenset({"_uid", "_uids"})


@dataclass(frozen=True, slots=True)
class TangleRule:
    """When a request is held for the sake of other people.

    Attributes:
        above: so many identifiers of one field may be on a profile beyond those that the request names.
        fields: the fields that are counted; empty for those that the mapping names, without cookies.
    """

    above: int
    fields: frozenset[str] = frozenset()

    def watched(self, rule_sets: Iterable[RuleSet], table: str) -> frozenset[str]:
        """Return the fields of a table that are counted, under the rules of the sources of an account."""
        if self.fields:
            return self.fields
        targets = (target for rules in rule_sets for rule in rules.rules for target in rule.targets)
        return frozenset(one.field for one in targets if one.table == table) - _COOKIES


def strangers(sighting: Sighting, field: str, own: Mapping[str, Collection[Private]]) -> Mapping[str, int] | None:
    """Count, by field, the identifiers on a profile that a request does not name; fields without any are left out.

    Values are compared without case, blanks and the like: a person is not made two by how somebody wrote an address.

    Args:
        field: by which the profile was looked up.
        own: what the request names, by field.

    Returns:
        None if that cannot be told: the profile shows nothing of what was asked for, as with a token that may not see
        identifiers.
    """
    if sighting.presence is Presence.ABSENT:
        return {}
    if sighting.presence is Presence.UNKNOWN:
        return None
    known = {name: {loose_form(one) for one in values} for name, values in own.items()}
    others: dict[str, set[Private]] = defaultdict(set)
    sees_own = False
    for name, value in sighting.identifiers:
        form = loose_form(value)
        if form in known.get(name, ()):
            sees_own = sees_own or name == field
        else:
            others[name].add(form)
    return {name: len(forms) for name, forms in sorted(others.items())} if others or sees_own else None


def is_tangled(found: Mapping[str, int], accepted: Mapping[str, int], above: int) -> bool:
    """Say whether a request has to be held for what was found.

    Args:
        accepted: what a person has let pass before: it is held again only if more is found.
    """
    return any(number > above and number > accepted.get(name, 0) for name, number in found.items())


def most_of(findings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return of each field the most that any of the findings tells."""
    most: dict[str, int] = {}
    for one in findings:
        for name, number in one.items():
            most[name] = max(number, most.get(name, 0))
    return most
