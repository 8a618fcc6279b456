"""One configured Lytics account: its deletion API, its look-up, and the few calls that an operator makes by hand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connector.codes import Code
from connector.errors import Misconfigured, NotFound, Refused
from connector.lytics.client import LyticsClient, Purpose
from connector.lytics.identity_delete import BodyKeys, IdentityDelete
from connector.lytics.identity_queue import IdentityQueue
from connector.lytics.lookup import LookUp, LookUpCall
from connector.lytics.wire import object_of, unreadable
from connector.outbound import Client
from connector.ports import DeletionApi, Profiles
from connector.private import Secret
from connector.profile import ProfileReader


class DeletionApiName(StrEnum):
    """The two deletion APIs that an account may answer."""

    IDENTITY_DELETE = "identity-delete"
    IDENTITY_QUEUE = "identity-queue"


@dataclass(frozen=True, slots=True)
class Account:
    """One account, ready to be called."""

    name: str
    api_name: DeletionApiName
    api: DeletionApi
    profiles: Profiles
    reader: ProfileReader
    client: LyticsClient

    def probe(self) -> dict[DeletionApiName, bool | None]:
        """Say for each deletion API whether the account answers it; None if that cannot be told. Reads only.

        Raises:
            Misconfigured: the token or the account id is refused.
            Temporary: Lytics cannot be reached, or what answers is not Lytics.
        """
        return {name: _answers(self.client, name) for name in DeletionApiName}

    def identity_fields(self, table: str) -> dict[str, bool]:
        """Return the table's fields and whether each is an identity, from the account's schema."""
        fields = object_of(self.client.call(Purpose.LOOK_UP, "GET", "schema", table, "field")).get("data")
        if not isinstance(fields, list):
            raise unreadable("a schema that is not a list of fields")
        named = [one for one in fields if isinstance(one, dict) and isinstance(one.get("id"), str)]
        return {one["id"]: one.get("is_identifier") is True for one in named}


def open_account(
    name: str,
    http: Client,
    token: Secret,
    api_name: DeletionApiName,
    *,
    account_id: str = "",
    body_keys: BodyKeys | None = None,
    look_up_call: LookUpCall = LookUpCall.POST,
) -> Account:
    """Join one account's parts. Nothing is called yet.

    Raises:
        Misconfigured: the token starts with `Bearer`.
    """
    client = LyticsClient(http, token, account_id=account_id)
    delete = api_name is DeletionApiName.IDENTITY_DELETE
    api: DeletionApi = IdentityDelete(client, body_keys) if delete else IdentityQueue(client)
    look_up = LookUp(client, look_up_call)
    return Account(name, api_name, api, look_up, look_up, client)


def _answers(client: LyticsClient, name: DeletionApiName) -> bool | None:
    delete = name is DeletionApiName.IDENTITY_DELETE
    path = ("delete", "status") if delete else ("deletestatus", "list")
    try:
        # A login page in between answers everything with a success, and nothing with an object.
        object_of(client.call(Purpose.FOLLOW, "GET", "identity", *path))
    except Misconfigured as error:
        if error.code is Code.DELETION_API_NOT_ANSWERED:
            return False
        raise
    except NotFound:
        # The list of identity-queue stands in a guide but not in the specification: its absence proves nothing.
        return False if delete else None
    except Refused:
        return None
    return True
