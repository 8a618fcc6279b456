"""Is this delivery genuine? Checks over method, headers and raw bytes; pure, with the time passed in.

A check returns what it verified or raises `Rejected` with a 401 code; there is no third way out, and a header that is
missing is a refusal. Nothing here parses the body, keeps a state or shows a header's value.
"""

from __future__ import annotations

from connector.verify.all_of import AllOf
from connector.verify.shared import Basic, Bearer, StaticHeader
from connector.verify.signature import Algorithm, Encoding, Hmac
from connector.verify.window import Unit, Window

__all__ = ["Algorithm", "AllOf", "Basic", "Bearer", "Encoding", "Hmac", "StaticHeader", "Unit", "Window"]
