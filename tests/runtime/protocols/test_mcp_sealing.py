"""What clients keep for the gateway opens for their caller, at its place, by the keys in force."""

import base64

import pytest

from slipway_runtime.identity import Caller, IdentitySigner
from slipway_runtime.protocols.mcp.sealing import PURPOSE, NotSealed, Sealer

ANN, BOB = Caller.by_key("ann"), Caller.by_key("bob")
NOW, BEFORE = (IdentitySigner.from_seed(bytes([number]) * 32).secrets(PURPOSE)[0] for number in (1, 2))
CONTENT = {"run": "1", "token": None, "groups": ["a"]}


def sealed(key: bytes = NOW) -> str:
    return Sealer(lambda: (key,)).seal("session", CONTENT, caller=ANN, place="mcp")


def test_what_was_sealed_opens_in_every_gateway_with_the_key() -> None:
    for keys in ((NOW,), (BEFORE, NOW)):
        assert Sealer(lambda keys=keys: keys).open("session", sealed(), caller=ANN, place="mcp") == CONTENT  # type: ignore[misc]
    assert sealed() != sealed(), "two of the same cannot be told to be the same"
    assert sealed().isascii()
    assert "run" not in base64.urlsafe_b64decode(sealed() + "==").decode("latin-1")


def test_it_opens_for_nobody_else() -> None:
    sealer, text = Sealer(lambda: (NOW,)), sealed()
    flipped = text[:30] + ("A" if text[30] != "A" else "B") + text[31:]
    for kind, given, caller, place in (
        ("session", text, BOB, "mcp"),
        ("session", text, ANN, "agents/demo/support"),
        ("event", text, ANN, "mcp"),
        ("session", flipped, ANN, "mcp"),
        ("session", text[:20], ANN, "mcp"),
        ("session", "", ANN, "mcp"),
        ("session", "ü", ANN, "mcp"),
        ("session", "a" * 100_000, ANN, "mcp"),
        ("session", sealed(BEFORE), ANN, "mcp"),
    ):
        with pytest.raises(NotSealed):
            sealer.open(kind, given, caller=caller, place=place)  # type: ignore[arg-type]
