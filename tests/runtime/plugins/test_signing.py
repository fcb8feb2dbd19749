"""Signatures of plugins: those that openssl and cosign make, and those that must be refused."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipway_runtime.cli import app
from slipway_runtime.plugins.signing import (
    SignatureReason,
    SignatureRefused,
    TrustedKey,
    check_digest,
    digest_of,
    image_payload,
    new_key_pair,
    sign,
    verify,
)

CONTENT = b"def tool() -> str: ...\n"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
RUNNER = CliRunner()


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


@pytest.fixture(params=["EC", "ED25519"])
def openssl_key(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, str]:
    """The algorithm, the file of a private key, and the public one."""
    options = ["-pkeyopt", "ec_paramgen_curve:P-256"] if request.param == "EC" else []
    private = tmp_path / "openssl.key"
    openssl("genpkey", "-algorithm", request.param, *options, "-out", str(private))
    return request.param, private, openssl("pkey", "-in", str(private), "-pubout").decode()


def openssl_signature(algorithm: str, private: Path, content: Path) -> str:
    if algorithm == "EC":
        raw = openssl("dgst", "-sha256", "-sign", str(private), str(content))
    else:
        raw = openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(private), "-in", str(content))
    return base64.b64encode(raw).decode()


def test_what_openssl_signs_is_verified(openssl_key: tuple[str, Path, str], tmp_path: Path) -> None:
    algorithm, private, public = openssl_key
    (tmp_path / "content").write_bytes(CONTENT)
    signature = openssl_signature(algorithm, private, tmp_path / "content")
    key = TrustedKey(pem=public)
    assert verify(CONTENT, signature, [TrustedKey(pem=new_key_pair().public.decode()), key]) is key
    with pytest.raises(SignatureRefused, match="changed after it was signed"):
        verify(CONTENT + b" ", signature, [key])


def test_openssl_verifies_what_is_signed_here(openssl_key: tuple[str, Path, str], tmp_path: Path) -> None:
    algorithm, private, public = openssl_key
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "pub").write_text(public)
    (tmp_path / "sig").write_bytes(base64.b64decode(sign(CONTENT, private.read_bytes())))
    paths = [str(tmp_path / each) for each in ("pub", "sig", "content")]
    if algorithm == "EC":
        shown = openssl("dgst", "-sha256", "-verify", paths[0], "-signature", paths[1], paths[2])
    else:
        shown = openssl(
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", paths[0], "-sigfile", paths[1], "-in", paths[2]
        )
    assert b"Verified" in shown


def test_bundles_of_cosign_are_read() -> None:
    pair = new_key_pair()
    signature, key = sign(CONTENT, pair.private), TrustedKey(pem=pair.public.decode())
    sigstore = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "messageSignature": {"messageDigest": {"algorithm": "SHA2_256"}, "signature": signature},
    }
    for bundle in (sigstore, {"base64Signature": signature, "rekorBundle": None}):
        assert verify(CONTENT, json.dumps(bundle), [key]) is key


def test_a_key_that_expired_signs_nothing_any_more() -> None:
    pair = new_key_pair()
    signature = sign(CONTENT, pair.private)
    expired = TrustedKey(pem=pair.public.decode(), expires=NOW - timedelta(seconds=1))
    current = TrustedKey(pem=pair.public.decode(), expires=NOW + timedelta(seconds=1))
    assert verify(CONTENT, signature, [expired, current], now=NOW) is current
    with pytest.raises(SignatureRefused, match="expired at 2026-11-29T23:59:59") as caught:
        verify(CONTENT, signature, [expired], now=NOW)
    assert caught.value.reason is SignatureReason.KEY_EXPIRED


P384 = """-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE5D7QYnNm4GUBy7BnPWvkSOoYOX7b0HkJ
-----END PUBLIC KEY-----"""


@pytest.mark.parametrize(
    ("signature", "pem", "reason"),
    [
        ("", None, SignatureReason.SIGNATURE_MISSING),
        ("%%%", None, SignatureReason.SIGNATURE_INVALID),
        ("{", None, SignatureReason.SIGNATURE_INVALID),
        ('{"dsseEnvelope": {}}', None, SignatureReason.SIGNATURE_INVALID),
        ("x" * 100_000, None, SignatureReason.SIGNATURE_INVALID),
        ("AAAA", None, SignatureReason.SIGNATURE_INVALID),
        ("AAAA", "not a key", SignatureReason.KEY_INVALID),
        ("AAAA", P384, SignatureReason.KEY_INVALID),
    ],
    ids=["none", "no base64", "no JSON", "of an image", "endless", "of nobody", "no key", "half a key"],
)
def test_what_cannot_be_read_is_refused(signature: str, pem: str | None, reason: SignatureReason) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify(CONTENT, signature, [TrustedKey(pem=pem or new_key_pair().public.decode())])
    assert caught.value.reason is reason


def test_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
    public = openssl("pkey", "-pubout", given=private).decode()
    for attempt in (lambda: sign(CONTENT, private), lambda: verify(CONTENT, "AAAA", [TrustedKey(pem=public)])):
        with pytest.raises(SignatureRefused, match="ECDSA P-256"):
            attempt()


def test_a_digest_pins_content() -> None:
    check_digest(CONTENT, digest_of(CONTENT))
    with pytest.raises(SignatureRefused) as caught:
        check_digest(CONTENT + b" ", digest_of(CONTENT))
    assert caught.value.reason is SignatureReason.DIGEST_MISMATCH


def test_the_payload_of_an_image_is_what_cosign_generates() -> None:
    assert image_payload("ghcr.io/acme/issues", "sha256:" + 64 * "a") == (
        b'{"critical":{"identity":{"docker-reference":"ghcr.io/acme/issues"},"image":{"docker-manifest-digest":"sha256:'
        + 64 * b"a"
        + b'"},"type":"cosign container image signature"},"optional":null}'
    )


def test_from_a_key_to_a_verified_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPWAY_SIGNING_PASSWORD", "open sesame")
    module = tmp_path / "module.py"
    module.write_bytes(CONTENT)
    assert RUNNER.invoke(app, ["plugin", "key", "mine"]).exit_code == 0
    assert (tmp_path / "mine.key").stat().st_mode & 0o777 == 0o600
    assert RUNNER.invoke(app, ["plugin", "key", "mine"]).exit_code == 1, "a key is never overwritten"
    signed = RUNNER.invoke(app, ["plugin", "sign", "module.py", "--key", "mine.key"])
    assert (signed.exit_code, signed.stderr.strip()) == (0, digest_of(CONTENT))
    verifying = ["plugin", "verify", "module.py", "--key", "mine.pub", "--digest", digest_of(CONTENT), "--signature"]
    assert "verified" in RUNNER.invoke(app, [*verifying, signed.stdout.strip()]).stdout
    (tmp_path / "module.sig").write_text(signed.stdout)
    module.write_bytes(CONTENT + b"tampered")
    refused = RUNNER.invoke(app, [*verifying, "module.sig"])
    assert (refused.exit_code, "pin the new digest" in refused.stderr) == (1, True)


def test_a_password_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(new_key_pair(password=b"right").private)
    result = RUNNER.invoke(
        app, ["plugin", "sign", str(tmp_path / "key"), "--key", str(tmp_path / "key"), "--password", "x"]
    )
    assert (result.exit_code, "its password" in result.stderr) == (1, True)
