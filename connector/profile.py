"""A profile as it is read for an access request. What is in it leaves only towards the person that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connector.private import Private


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    Attributes:
        content: everything that was answered, as JSON.
        is_redacted: whether personal fields seem to have been left out of it, as for a token without the right to see
            them.
    """

    content: Private
    is_redacted: bool


class ProfileReader(Protocol):
    """Reads what is held about somebody."""

    def read(self, table: str, field: str, value: Private) -> Profile | None:
        """Return the profile that answers to the value; None only on the other side's word that there is none.

        `Temporary` if the answer does not tell; like every port it raises nothing but the errors of `connector.errors`.
        """
        ...
