"""Bindings in a file that changes."""

import os
from pathlib import Path

from slipway_crds.runtimeconfig import AgentBindings, Bindings, ModelBinding, Price
from slipway_runtime.bindings_file import BindingsFile
from slipway_runtime.identity_files import CHECK_SECONDS

AGENT = "demo/support"


class Clock:
    """Goes on when it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 2 * CHECK_SECONDS
        return self.now


def write(file: Path, text: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(text)
    os.replace(new, file)


def priced(price: str) -> AgentBindings:
    return AgentBindings(models={"m": ModelBinding(api_key_file="/keys/m/key", price=Price(input=price, output="2"))})


def test_an_agent_gets_what_the_file_says_now(tmp_path: Path) -> None:
    file = tmp_path / "bindings.json"
    bindings = BindingsFile(file, clock=Clock())
    assert bindings.of(AGENT) == AgentBindings(), "there is no file yet"
    for price in ("1", "3"):
        write(file, Bindings(agents={AGENT: priced(price)}).canonical())
        assert bindings.of(AGENT) == priced(price)
    assert bindings.of("demo/other") == AgentBindings()


def test_useless_bindings_leave_those_before_in_force(tmp_path: Path) -> None:
    file = tmp_path / "bindings.json"
    write(file, Bindings(agents={AGENT: priced("1")}).canonical())
    bindings = BindingsFile(file, clock=Clock())
    assert bindings.of(AGENT) == priced("1")
    for useless in (b"{", b'{"agents": {"demo/support": {"unknown": 1}}}'):
        write(file, useless)
        assert bindings.of(AGENT) == priced("1")
    file.unlink()
    assert bindings.of(AGENT) == priced("1")
