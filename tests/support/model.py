"""The real embedding model, loaded once for all tests."""

import pytest

from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.settings import default_model_dir


@pytest.fixture(scope="session")
def embedder() -> MiniLM:
    """MiniLM from the user's cache folder, where `make model` puts it."""
    return MiniLM(default_model_dir())
