"""Take pictures of every page, light and dark: `python -m tests.browser.screenshots docs/screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser.scene import Scheme, office, visit

SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def take(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, office(Path(work)) as at:
        pages = {"overview": "/", "requests": "/requests", "one-request": f"/requests/{at.completed}"}
        for scheme in SCHEMES:
            with visit(at, scheme) as seen:
                seen.page.goto(f"{at.url}/sign-in")
                seen.page.screenshot(path=folder / f"sign-in-{scheme}.png", full_page=True)
                seen.sign_in()
                for name, path in pages.items():
                    seen.page.goto(at.url + path)
                    seen.page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
