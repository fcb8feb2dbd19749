"""What images carry, and what not: each is built from one locked set of packages, so the lock says it."""

import re

import pytest

from slipway_demo.builders import Docker, public_base
from slipway_demo.errors import DemoError
from slipway_demo.images import ALL
from slipway_demo.paths import ROOT

AGENT_FRAMEWORKS = re.compile(r"langgraph|langchain|llama-index|pydantic-ai|crewai|autogen|openai|anthropic|mcp|a2a")
MODELS = re.compile(r"onnx|tokenizers|transformers|sentence|numpy|chromadb")
TORCH = re.compile(r"torch|tensorflow|jax|nvidia|triton|cuda")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def packages(image: str) -> set[str]:
    """Names in the image's lock, those that its packages need included."""
    locked = (ROOT / f"requirements/{image}.txt").read_text()
    return {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE)}


def found(image: str, pattern: re.Pattern[str]) -> list[str]:
    return sorted(name for name in packages(image) if pattern.match(name))


def test_the_operator_carries_no_agent_framework_and_no_model() -> None:
    assert "kopf" in packages("operator")
    assert found("operator", AGENT_FRAMEWORKS) == []
    assert found("operator", MODELS) == []
    assert found("runtime", AGENT_FRAMEWORKS), "the pattern knows the framework that the runtime has"
    assert found("runtime", MODELS), "and its model's packages"


@pytest.mark.parametrize("image", [image.name for image in ALL])
def test_no_image_carries_torch(image: str) -> None:
    assert packages(image)
    assert found(image, TORCH) == []


def test_images_get_packages_from_their_locks_and_from_nowhere_else() -> None:
    locks = {name for image in ALL for name in image.inputs if name.startswith("requirements/")}
    assert set(re.findall(r"^COPY (requirements/\S+) /tmp/requirements.txt$", DOCKERFILE, re.MULTILINE)) == locks
    joined = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"\binstall\s[^&\n]*", joined)
    assert len(installs) == len(locks)
    for install in installs:
        assert "--require-hashes" in install
        assert install.split("-r ")[1].strip() == "/tmp/requirements.txt"
    assert not re.search(r"apt-get|apt |curl|wget|^ADD ", joined, re.MULTILINE)


@pytest.mark.parametrize("image", [image.name for image in ALL])
def test_every_image_begins_without_the_bases_tools(image: str) -> None:
    begun = {name: base for base, name in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)}
    assert begun[image] == "final"
    assert begun["final"] == "scratch"


def test_the_public_base_is_named_by_digest() -> None:
    reference, identity = Docker().base()
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", reference)
    assert identity == reference
    assert re.search(r"^ARG BASE_IMAGE$", DOCKERFILE, re.MULTILINE), "no default that a tag could be in"


@pytest.mark.parametrize("named", ["python:3.11-slim-bookworm", "python@sha256:abc", "python:3@sha256:" + "g" * 64])
def test_a_base_without_a_digest_is_refused(named: str) -> None:
    with pytest.raises(DemoError, match="by digest"):
        public_base(f"# The base.\nFROM {named}\n")
