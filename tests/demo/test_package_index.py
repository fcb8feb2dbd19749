"""What of this machine's package settings reaches a build."""

from pathlib import Path

import pytest

from slipway_demo.package_index import ca_bundle, pip_config

LISTING = """\
:env:.find-links='/opt/wheels'
:env:.index-url='https://user:password@packages.example/simple'
global.timeout='180'
global.cert='/etc/ssl/certs/ca-certificates.crt'
"""


def test_settings_that_make_sense_in_another_file_system_are_taken_over() -> None:
    expected = "[global]\nindex-url = https://user:password@packages.example/simple\ntimeout = 180\n"
    assert pip_config(LISTING, certificates=False) == expected


def test_authorities_are_named_where_the_build_finds_them() -> None:
    assert pip_config("", certificates=True) == "[global]\ncert = /run/secrets/ca-bundle\n"


def test_the_bundle_that_the_environment_names_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert ca_bundle() == bundle
