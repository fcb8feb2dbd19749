"""`slipway dev` accepts a revision of an index, and goes back to the one before, as a cluster does."""

from slipway_crds.meta import SERVE_ANNOTATION
from slipway_runtime.dev.kinds import Outcome
from slipway_runtime.dev.manifests import Manifests
from slipway_runtime.store.pointers import read_pointer
from tests.runtime.dev.test_driver import Dev, dev, zoo

__all__ = ["dev"]

SHORTER = "sources: [{name: docs, configMap: {name: docs}}], chunking: {maxTokens: 50}"
SOURCES = "sources: [{name: docs, configMap: {name: docs}}]"
QUESTIONS = "acceptance: {cases: {configMapRef: {name: docs, key: questions.yaml}}}"
PLACE = "metadata: {name: zoo, namespace: demo}"


def asking_for(document: str) -> Manifests:
    """Another way of cutting, and a question that has to find this document."""
    data = 'data: {questions.yaml: "[{question: Who eats hay, documents: [' + document + ']}]", zoo.md:'
    return zoo(**{SOURCES: f"{SHORTER}, {QUESTIONS}", "data: {zoo.md:": data})


async def revision(dev: Dev) -> str:
    pointer = await read_pointer(dev.parts.dependencies.database, "demo/zoo")
    assert pointer is not None
    return pointer.revision


async def outcome(dev: Dev, manifests: Manifests) -> Outcome:
    """What came of the index."""
    outcomes = await dev.driver.apply(manifests, progress=lambda key, progress: None)
    return next(each for each in outcomes if each.subject == "index demo/zoo")


async def test_a_revision_that_is_refused_is_reported_and_the_one_before_answers(dev: Dev) -> None:
    dev.embedder.gate.set()
    await dev.apply(zoo())
    first = await revision(dev)
    refused = await outcome(dev, asking_for("tigers.md"))
    assert "was not accepted, agents go on with the build before: 0 of 1 questions" in refused.error
    assert (await revision(dev), (await dev.ask())[2]["answer"]) == (first, "The elephant is called Rosa.")
    assert (await outcome(dev, asking_for("zoo.md"))).error == ""
    assert await revision(dev) != first


async def test_a_former_revision_answers_as_long_as_the_annotation_says_so(dev: Dev) -> None:
    dev.embedder.gate.set()
    await dev.apply(zoo())
    first = await revision(dev)
    shorter = {SOURCES: SHORTER}
    await dev.apply(zoo(**shorter))
    second = await revision(dev)
    annotated = f"metadata: {{name: zoo, namespace: demo, annotations: {{{SERVE_ANNOTATION}: previous}}}}"
    await dev.apply(zoo(**shorter, **{PLACE: annotated}))
    assert (await revision(dev), (await dev.ask())[0]) == (first, 200)
    await dev.apply(zoo(**shorter, **{PLACE: annotated}, Rosa="Tuffi"))
    assert (await dev.ask())[2]["answer"] == "The elephant is called Tuffi."
    await dev.apply(zoo(**shorter, Rosa="Tuffi"))
    assert await revision(dev) == second
