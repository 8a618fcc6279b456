from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, broken_link, links


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    found = [broken_link(page, target) for target in links(page.read_text(encoding="utf-8"))]
    assert [fault for fault in found if fault] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[one](two.md#a-heading--more)", ""),
        ("[one](two.md#a-heading--more-1)", ""),
        ("[one](two.md#by-hand)", ""),
        ("[one](#here)", ""),
        ("[`code` and [brackets]](two.md)", ""),
        ("[one](https://example.com/missing)", ""),
        ("`[one](missing.md)`", ""),
        ("```\n[one](missing.md)\n```", ""),
        ("[one](missing.md)", "no file"),
        ("![image](missing.png)", "no file"),
        ("[ref]: missing.md", "no file"),
        ('<a href="missing.md">', "no file"),
        ("[one](../outside.md)", "no file"),
        ("[one](two.md#missing)", "no anchor"),
        ("[one](#missing)", "no anchor"),
    ],
)
def test_the_check_tells_good_links_from_bad_ones(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "outside.md").write_text("beyond the project")
    root = tmp_path / "project"
    root.mkdir()
    (root / "two.md").write_text('# A `heading` & more\n\n## A heading & more\n\n<a id="by-hand"></a>\n')
    page = root / "page.md"
    page.write_text(f"# Here\n\n{text}\n")
    found = "".join(broken_link(page, target, root) for target in links(page.read_text()))
    assert fault in found if fault else found == ""


def test_a_heading_within_a_code_block_is_no_anchor() -> None:
    assert anchors("# Real\n\n```sh\n# not a heading\n```\n") == {"real"}
