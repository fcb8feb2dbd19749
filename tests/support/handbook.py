"""The example's agent on the cluster of the tests."""

import shutil
from pathlib import Path

import pytest
import yaml

from slipway_demo import demo, waiting
from slipway_demo.paths import HANDBOOK
from tests.support.cluster import AGENT, Installation, shown

DOCUMENTS = {"concepts.md", "decisions-0014-made-secrets-in-place-of-derived-ones.md"}
"""Those that answer the questions of `tests.support.chatting`."""


@pytest.fixture(scope="session")
def handbook(
    installation: Installation, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """NAMESPACE/NAME of the example's agent, which is Ready. It has some of its documents at least: reading all of them
    takes a minute."""
    folder = some_documents(tmp_path_factory.mktemp("handbook"))
    with shown(request):
        if installation.kube.works("get", "agent", "handbook", "--namespace=demo"):
            waiting.for_kinds(installation.kube, demo.NAMESPACE, deadline_s=demo.KINDS_DEADLINE_S)
        else:
            demo.apply_handbook(installation.kube, folder)
    return AGENT


@pytest.fixture(scope="session")
def whole_handbook(installation: Installation, request: pytest.FixtureRequest) -> str:
    """The same agent with all of its documents."""
    with shown(request):
        demo.apply_handbook(installation.kube)
    return AGENT


def some_documents(folder: Path) -> Path:
    """The folder, with the example in it over a few of its documents, from which `tests.support.chatting` asks."""
    for name in ("agent.yaml", "vectorindex.yaml"):
        shutil.copy(HANDBOOK / name, folder)
    documents = yaml.load((HANDBOOK / "documents-1.yaml").read_text(), Loader=yaml.CSafeLoader)
    documents["data"] = {name: text for name, text in documents["data"].items() if name in DOCUMENTS}
    assert documents["data"].keys() == DOCUMENTS
    (folder / "documents-1.yaml").write_text(yaml.safe_dump(documents))
    return folder
