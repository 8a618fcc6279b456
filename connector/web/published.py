"""What anybody may read: the public keys under which receipts and checkpoints of the audit log are verified."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response

from connector.proof import canonical
from connector.proof.keys import key_set
from connector.services.site import Site

PATH: Final = "/.well-known/jwks.json"
# A new key is published as soon as it signs; whoever keeps the set for long asks again for a key that it lacks.
_CACHE_S: Final = 300


def install(app: Flask, site: Site) -> None:
    """Serve the keys, if there are any."""
    if not site.proofs.keys:
        return
    body = canonical.write(key_set(site.proofs.keys))

    @app.get(PATH)
    def keys() -> Response:
        response = Response(body, 200, content_type="application/jwk-set+json")
        response.headers["Cache-Control"] = f"public, max-age={_CACHE_S}"
        return response
