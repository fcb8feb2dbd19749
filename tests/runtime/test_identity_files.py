"""Identity keys in files that change: what a gateway signs with, and what a host accepts."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_operator.installation.identity import public_half
from slipway_runtime.identity import Caller, IdentitySigner, IdentityVerifier, InvalidIdentity, InvalidKey
from slipway_runtime.identity_files import CHECK_SECONDS, SignerFile, VerifierFile
from tests.support.identity_keys import ANCHOR, write_keys

AGENT = "demo/support"
ALICE = Caller.by_key("alice")
OLD, NEW = (IdentitySigner.from_seed(bytes([number]) * 32) for number in (1, 2))


class Clock:
    """Goes on when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += CHECK_SECONDS


def write_pem(file: Path, seed: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    new = file.with_suffix(".new")
    new.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    os.replace(new, file)


def accepts(verifier: VerifierFile, signer: IdentitySigner) -> bool:
    try:
        return verifier.verify(signer.sign(ALICE, AGENT), AGENT) == ALICE
    except InvalidIdentity:
        return False


def test_a_host_follows_its_list(tmp_path: Path) -> None:
    clock = Clock()
    verifier = VerifierFile(write_keys(tmp_path, OLD.public_key), anchor=public_half(ANCHOR), clock=clock)
    assert [accepts(verifier, each) for each in (OLD, NEW)] == [True, False]
    write_keys(tmp_path, OLD.public_key, NEW.public_key)
    clock.tick()
    assert [accepts(verifier, each) for each in (OLD, NEW)] == [True, True]
    write_keys(tmp_path, NEW.public_key)
    clock.tick()
    assert [accepts(verifier, each) for each in (OLD, NEW)] == [False, True]


def test_a_list_that_somebody_else_wrote_changes_nothing(tmp_path: Path) -> None:
    """Whoever may write ConfigMaps of the namespace cannot vouch for callers."""
    clock = Clock()
    verifier = VerifierFile(write_keys(tmp_path, OLD.public_key), anchor=public_half(ANCHOR), clock=clock)
    write_keys(tmp_path, OLD.public_key, NEW.public_key, anchor=Ed25519PrivateKey.generate())
    clock.tick()
    assert [accepts(verifier, each) for each in (OLD, NEW)] == [True, False]


@pytest.mark.parametrize("text", ["", "[]", '{"keys": [], "signature": ""}', '{"keys": ["x"], "signature": "x"}'])
def test_a_host_does_not_start_on_a_useless_list(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(InvalidKey, match=r"keys\.json"):
        VerifierFile(file, anchor=public_half(ANCHOR))


def test_a_host_does_not_start_on_a_list_of_another_installation(tmp_path: Path) -> None:
    file = write_keys(tmp_path, OLD.public_key, anchor=Ed25519PrivateKey.generate())
    with pytest.raises(InvalidKey, match="not signed by this installation's operator"):
        VerifierFile(file, anchor=public_half(ANCHOR))


def test_a_gateway_signs_with_the_new_key_and_keeps_the_one_before(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "private.pem"
    write_pem(file, 1)
    signer = SignerFile(file, clock=clock)
    old, new = IdentityVerifier([OLD.public_key]), IdentityVerifier([NEW.public_key])
    assert old.verify(signer.sign(ALICE, AGENT), AGENT) == ALICE
    assert signer.sign_with_former_key(ALICE, AGENT) is None
    write_pem(file, 2)
    clock.tick()
    assert new.verify(signer.sign(ALICE, AGENT), AGENT) == ALICE
    former = signer.sign_with_former_key(ALICE, AGENT)
    assert former is not None
    assert old.verify(former, AGENT) == ALICE


@pytest.mark.parametrize("gone", [True, False])
def test_a_gateway_goes_on_without_its_file(tmp_path: Path, gone: bool) -> None:
    clock, file = Clock(), tmp_path / "private.pem"
    write_pem(file, 1)
    signer = SignerFile(file, clock=clock)
    file.unlink() if gone else file.write_text("garbage")
    clock.tick()
    assert IdentityVerifier([OLD.public_key]).verify(signer.sign(ALICE, AGENT), AGENT) == ALICE
