from __future__ import annotations

import pytest

from tests.unit.outbound.internet import Authority, Internet


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> Internet:
    return Internet(monkeypatch, authority)
