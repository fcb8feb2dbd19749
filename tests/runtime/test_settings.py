"""Settings come from the environment, and say which variable is wrong."""

from pathlib import Path

import pytest

from slipway_runtime.settings import GatewaySettings, HostSettings, IngestSettings


def test_a_host_reads_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_IDENTITY_ANCHOR", "a2V5")
    monkeypatch.setenv("SLIPWAY_STORE_DSN_FILE", "/x/dsn")
    monkeypatch.setenv("SLIPWAY_TEST_DELTA_DELAY", "0.5")
    settings = HostSettings.from_environment()
    assert (settings.identity_anchor, settings.store_dsn_file, settings.test_delta_delay, settings.port) == (
        "a2V5",
        Path("/x/dsn"),
        0.5,
        8080,
    )


def test_origins_have_commas_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GatewaySettings.from_environment().allowed_origins == ()
    monkeypatch.setenv("SLIPWAY_ALLOWED_ORIGINS", "https://a.example,http://[::1]:3000")
    assert GatewaySettings.from_environment().allowed_origins == ("https://a.example", "http://[::1]:3000")


def test_the_model_is_looked_for_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    assert IngestSettings.from_environment().model_dir == Path("/x/cache/slipway/models/all-MiniLM-L6-v2")


def test_what_is_missing_or_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_IDENTITY_ANCHOR", raising=False)
    with pytest.raises(SystemExit, match="SLIPWAY_IDENTITY_ANCHOR: Field required"):
        HostSettings.from_environment()
    monkeypatch.setenv("SLIPWAY_PORT", "http")
    monkeypatch.setenv("SLIPWAY_AUTH_MODE", "none")
    with pytest.raises(SystemExit, match=r"SLIPWAY_PORT: .*; SLIPWAY_AUTH_MODE: .*'apikeys' or 'open'"):
        GatewaySettings.from_environment()
