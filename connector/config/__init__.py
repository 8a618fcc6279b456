"""The configuration: one TOML file, read once, checked as a whole, all problems told together; secrets by reference."""

from __future__ import annotations

from connector.config.load import load
from connector.config.models import Config
from connector.config.schema import schema

__all__ = ["Config", "load", "schema"]
