"""Writes docs/examples/onetrust/, what an administrator imports into OneTrust: `make docs`.

The shape of a workflow is that of a published export, which says `formatVersion` 1.0; the shape of a credential is that
of OneTrust's own API description (Platform - Integrations). What a tenant has to put in stands in double braces.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from connector.sandbox.onetrust_template import published_template

#: What stands in double braces, and what goes there.
PLACEHOLDERS: Final = {
    "CONNECTOR_HOST": "the host name of the connector, such as connector.example.com",
    "EVENT_CODE": "the code of the trigger in your tenant",
    "CONNECTOR_SECRET": "the secret that OneTrust sends in a header",
    "CLIENT_ID": "the client_id of the source's check",
    "CLIENT_SECRET": "the secret of that client",
}
LABELS: Final = ("email", "Loyalty ID")
SECRET_HEADER: Final = "X-Connector-Secret"
#: The system, as it is called in OneTrust.
SYSTEM: Final = "CDP erasure connector"

_HOST: Final = "https://{{CONNECTOR_HOST}}"
_URL: Final = f"{_HOST}/webhooks/onetrust"


def workflow(headers: dict[str, str]) -> dict[str, Any]:
    """Return a workflow: a system subtask was created, the body is written, and sent."""
    name, code = SYSTEM, "{{EVENT_CODE}}"
    nothing = {"requestSchema": None, "responseSchema": {"name": None, "description": None, "schema": None}}
    return {
        "formatVersion": "1.0",
        "name": name,
        "description": "Hands erasure requests over to the consent connector. The connector reports back by itself.",
        "enabled": False,
        "workflowType": "COMPOSITE",
        "integrationName": name,
        "referenceIntegrationName": "Generic",
        "dlqEnabled": True,
        # A call that failed stays where a person sees it; sent again, it does no harm.
        "defaultDlqAction": "NONE",
        # The body holds personal data.
        "redactLoggingEnabled": True,
        "trigger": {
            "name": name,
            "workflowName": name,
            "triggerType": "EVENT",
            "triggerContext": {
                "EventTrigger": {
                    "type": "EVENT",
                    "eventCode": code,
                    "condition": None,
                    "baseCondition": None,
                    "preCondition": None,
                    "webhook": False,
                    "subFlow": False,
                    "config": False,
                }
            },
            "description": "Data Subject Request System Subtask Created",
            "eventCode": code,
            "schema": None,
        },
        "actions": [
            {
                "processType": "TRANSFORM",
                "processContext": {
                    "DataTransformer": {
                        "type": "TRANSFORM",
                        "template": published_template(LABELS),
                        "independentNode": False,
                        "continueOnError": None,
                        "isIndependentNode": False,
                    }
                },
                "nodeLabel": "transform_0",
                "nodeDescription": "The body contract consent-connector/v1",
                **nothing,
            },
            {
                "processType": "HTTP",
                "processContext": {
                    "HttpConnector": {
                        "type": "HTTP",
                        "headers": {"Content-Type": "application/json", **headers},
                        "requestURI": _URL,
                        "httpMethod": "POST",
                        "jweEncryptionRequired": False,
                        "jweDecryptionRequired": False,
                        "internal": False,
                        # Not past an error: a failed call has to be seen.
                        "continueOnError": "NONE",
                        "pathParams": {},
                        "queryParams": {},
                        "isInternal": False,
                    }
                },
                "nodeLabel": "http_0",
                "nodeDescription": "Hand over to the consent connector",
                **nothing,
            },
        ],
        "directions": [{"startNode": "transform_0", "endNode": "http_0"}],
    }


def credential(kind: str, **context: Any) -> dict[str, Any]:
    """Return a credential as `POST /api/integrationmanager/v2/credentials/HTTP` takes it."""
    return {
        "name": f"{SYSTEM} ({kind})",
        "description": "Proves to the consent connector that OneTrust is calling.",
        "integrationName": SYSTEM,
        "authType": kind,
        "authContext": {"type": kind, "connectorType": "HTTP", "testUrl": _URL, **context},
    }


def files() -> dict[str, dict[str, Any]]:
    """Return each file's content by its name."""
    return {
        "workflow-header.json": workflow({SECRET_HEADER: "{{CONNECTOR_SECRET}}"}),
        "workflow-oauth2.json": workflow({}),
        "credential-header.json": credential(
            "API_KEY", key=SECRET_HEADER, value="{{CONNECTOR_SECRET}}", authParameterType="SEND_IN_HEADERS"
        ),
        "credential-oauth2.json": credential(
            "OAUTH2_TOKEN",
            grantType="client_credentials",
            tokenUrl=f"{_HOST}/oauth/token",
            clientId="{{CLIENT_ID}}",
            clientSecret="{{CLIENT_SECRET}}",
            scope="deliver",
            authParameterType="SEND_IN_HEADERS",
        ),
    }


def written(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, what in files().items():
        (folder / file_name).write_text(written(what), encoding="utf-8")
