"""The JSON Schema of the file, generated from the models; `config/schema.json` is this, checked in."""

from __future__ import annotations

from typing import Any, Final

from connector.config.models import Config

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12)."""
    return {"$schema": DIALECT, "title": "Consent connector configuration", **Config.model_json_schema()}
