"""The demo's promise next to what it took."""

import time

import pytest

from slipway_demo.stopwatch import verdict


@pytest.mark.parametrize(
    ("minutes", "warm", "words"),
    [
        (2, True, "2:00 with warm caches; the bar is 3:00: met"),
        (4, True, "4:00 with warm caches; the bar is 3:00: MISSED"),
        (4, False, "4:00 with empty caches; the bar is 20:00: met"),
    ],
)
def test_verdict(monkeypatch: pytest.MonkeyPatch, minutes: int, warm: bool, words: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert verdict(1_000_000 - minutes * 60, warm=warm) == words
