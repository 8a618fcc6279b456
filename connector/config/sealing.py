"""The keys that personal values are sealed with: by reference, or from a command that asks a key management service."""

from __future__ import annotations

import re
import subprocess
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from connector.config.secrets import REFERENCE_SCHEMA, require_key_length, resolve
from connector.config.section import surroundings_of
from connector.private import Secret

#: Seconds that a command may take.
COMMAND_TIMEOUT_S: Final = 30.0
_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,100}")


def _resolve(value: Any, info: ValidationInfo) -> Secret:
    if not isinstance(value, dict):
        return resolve(value, info)
    if unknown := value.keys() - {"id", "command"}:
        raise ValueError(f"unknown key {min(unknown)}; expected id and command only")
    name, command = value.get("id"), value.get("command")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ValueError("id: expected at most 100 letters, digits and . _ : / -")
    if not isinstance(command, list) or not command or not all(isinstance(one, str) and one for one in command):
        raise ValueError('command: expected a program and its arguments as a list, such as ["kms-unseal", "connector"]')
    return Secret(_answer(command, dict(surroundings_of(info).environ)), name)


def _answer(command: list[str], environ: dict[str, str]) -> str:
    """Return what a command prints. Nothing that it says is shown, because it may be the key."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        found = done.stdout.decode().rstrip("\r\n")
    except subprocess.TimeoutExpired:
        raise ValueError(f"the command took longer than {COMMAND_TIMEOUT_S:.0f} s") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"the command failed ({type(error).__name__})") from None
    if done.returncode != 0:
        raise ValueError(f"the command ended with the status {done.returncode}")
    return found


_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            REFERENCE_SCHEMA,
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "command"],
                "properties": {
                    "id": {"type": "string"},
                    "command": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                },
            },
        ]
    }
)

SealingKeyRef = Annotated[Secret, BeforeValidator(_resolve), AfterValidator(require_key_length), _SCHEMA]
