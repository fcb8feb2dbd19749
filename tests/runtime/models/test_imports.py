"""SDKs of providers are loaded when a model of theirs is made, never before: each costs start-up time and memory."""

import subprocess
import sys

import pytest

SDKS = ("openai", "anthropic", "google.genai", "boto3", "botocore")


def loaded(code: str) -> set[str]:
    """The SDKs that a fresh interpreter has loaded after running the code."""
    check = f"{code}\nimport sys\nprint(*(name for name in {SDKS!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", check], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["slipway_runtime.host.main", "slipway_runtime.models", "slipway_runtime.gateway.main"]
)
def test_no_sdk_is_loaded_with(module: str) -> None:
    assert loaded(f"import {module}") == set()


def test_a_model_loads_its_own_sdk_and_no_other() -> None:
    code = """
from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime.models.connection import no_key
from slipway_runtime.models.providers import Connection, make_model
make_model(Connection(ModelConfig(name="a", provider="anthropic", model="claude-sonnet-5"), no_key))
"""
    assert loaded(code) == {"anthropic"}
