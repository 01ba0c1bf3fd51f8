"""What the tests of endpoints share."""

from __future__ import annotations

import pytest
from tests.evolution.models.asking import KEY, Connect


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def to(url: str) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", url)

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return to
