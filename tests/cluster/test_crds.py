"""The CRDs on a real API server, and `slipway validate` beside it: the same verdict, manifest for manifest.

An API server and its etcd are all that this needs, so `make test-crds K8S=1.36` tries other versions in seconds.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from devcluster.settings import state_home
from slipway_crds.checking import twins
from slipway_crds.definitions import KINDS, custom_resource_definition
from slipway_crds.manifests import ManifestError, Problem, load_text
from slipway_crds.meta import API_VERSION, PAUSED_ANNOTATION
from slipway_crds.validate import validate_document
from tests.support.api_server import Answer, ApiServer, api_server
from tests.support.bad_manifests import bad_manifests
from tests.support.generated_manifests import manifests

pytestmark = pytest.mark.cluster

GENERATED = 1000
IN_FLIGHT = 8
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="session")
def api_kubeconfig(request: pytest.FixtureRequest) -> str:
    """A devcluster's own kubeconfig if KUBECONFIG names one (no other is touched), else one of the tests'."""
    given = os.environ.get("KUBECONFIG", "")
    if given and Path(given).is_relative_to(state_home()):
        return given
    return str(request.getfixturevalue("api_cluster").kubeconfig)


@pytest.fixture
async def api(api_kubeconfig: str) -> AsyncIterator[ApiServer]:
    """The API server with our CRDs served."""
    async with api_server(api_kubeconfig) as server:
        for kind in KINDS.values():
            await _install(server, custom_resource_definition(kind))
        for kind in KINDS.values():
            await _served(server, f"/apis/{API_VERSION}/{kind.PLURAL}")
        yield server


async def _install(server: ApiServer, crd: dict[str, Any]) -> None:
    """Apply a CRD, unless the chart has put it there as it should be."""
    path = f"{CRDS}/{crd['metadata']['name']}"
    there = await server.request("GET", path)
    if there.accepted and _schemas(there.body) == _schemas(crd):
        return
    answer = await server.apply(path, crd)
    assert answer.accepted, answer.message


def _schemas(crd: dict[str, Any]) -> list[Any]:
    return [version["schema"] for version in crd["spec"]["versions"]]


async def _served(server: ApiServer, path: str) -> None:
    async with asyncio.timeout(30):
        while not (await server.request("GET", path)).accepted:  # noqa: ASYNC110 (nothing tells when)
            await asyncio.sleep(0.05)


def problems_of(text: str) -> list[Problem | ManifestError]:
    """What `slipway validate` says of a file with one document."""
    try:
        (document,) = load_text(text)
    except ManifestError as error:
        return [error]
    return [*document.problems, *validate_document(document.value)]


async def verdicts(server: ApiServer, texts: Iterable[tuple[str, str]]) -> list[tuple[str, Answer]]:
    """(kind, text) -> what the API server says, eight at a time."""
    limit = asyncio.Semaphore(IN_FLIGHT)

    async def one(kind: str, text: str) -> tuple[str, Answer]:
        async with limit:
            return text, await server.try_to_create(kind, text)

    return list(await asyncio.gather(*(one(kind, text) for kind, text in texts)))


def differences(judged: Iterable[tuple[str, Answer]]) -> list[str]:
    """The manifests about which the two disagree, with what each says."""
    found: list[str] = []
    for text, answer in judged:
        problems = [str(each) for each in problems_of(text)]
        if answer.accepted == bool(problems):
            found.append(f"{text}\n  API server: {answer.status} {answer.message}\n  validate: {problems}")
    return found


async def test_the_schemas_are_structural_and_established(api: ApiServer) -> None:
    for kind in KINDS.values():
        crd = (await api.request("GET", f"{CRDS}/{kind.PLURAL}.slipway.dev")).body
        conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
        assert conditions.get("Established") == "True"
        assert "NonStructuralSchema" not in conditions


async def test_bad_manifests_are_refused_for_the_field_that_validate_names(api: ApiServer) -> None:
    bad = bad_manifests()
    kinds = ["VectorIndex" if "kind: VectorIndex" in each.text else "Agent" for each in bad]
    judged = await verdicts(api, zip(kinds, [each.text for each in bad], strict=True))
    assert len(judged) >= 40
    assert differences(judged) == []
    assert [text for text, answer in judged if answer.accepted] == []
    # Of metadata and of YAML the API server says less than we do; of a list's duplicates it names the entry.
    in_spec = {each.text: each.problems for each in bad if all(path.startswith("spec") for path in each.problems)}
    elsewhere = [
        (problems, answer.message)
        for text, answer in judged
        for problems in [in_spec.get(text, ())]
        if problems and not any(_field(problem) in answer.message for problem in problems)
    ]
    assert [each for each in elsewhere if "already set in map" not in each[1]] == []


def _field(problem: str) -> str:
    return problem.partition(": ")[0].removesuffix(".name")


ODD_NUMBERS = ("5.0", "1e1", "0x5", "0o5", "05", "08", "0b11", "+5", "1_0.0", ".5e1", "!!int '5'", "!!float 5", "~", "")
ODD_METADATA = (
    "{generateName: odd-}",
    "{name: odd, labels: {k: ~}, annotations: {Slipway.Dev/Odd_Key: ''}}",
    "{name: odd, labels: ~, creationTimestamp: ~, generation: -1, resourceVersion: '7', finalizers: [slipway.dev/x]}",
)


async def test_odd_but_right_manifests_pass(api: ApiServer) -> None:
    texts = [
        *(_agent(f"{{name: k, indexRef: {{name: k}}, topK: {number}}}") for number in ODD_NUMBERS),
        *(_agent("{name: k, indexRef: {name: k}}", metadata) for metadata in ODD_METADATA),
        _agent("{name: !tag k, <<: [{indexRef: {name: k}}, {topK: 3}], <<: {minScore: '0.5'}}"),
        _agent("{name: k, indexRef: {name: k}}")
        + "  sessions: ~\n  pod: {resources: {requests: ~}}\nstatus: {phase: 7}\n",
    ]
    judged = await verdicts(api, [("Agent", text) for text in texts])
    assert differences(judged) == []
    assert [(text, answer.message) for text, answer in judged if not answer.accepted] == []


def _agent(entry: str, metadata: str = "{name: odd}") -> str:
    return f"apiVersion: {API_VERSION}\nkind: Agent\nmetadata: {metadata}\nspec:\n  knowledge: [{entry}]\n"


async def test_generated_manifests_get_the_same_verdict(api: ApiServer) -> None:
    generated = manifests(GENERATED)
    texts = [(str(each["kind"]), json.dumps(each, ensure_ascii=False)) for each in generated]
    judged = await verdicts(api, texts)
    assert differences(judged) == []

    refused = [answer for _, answer in judged if not answer.accepted]
    hits = Counter(rule.message for rule in twins().values() for each in refused if rule.message in each.message)
    print(f"\n{len(judged)} manifests, {len(refused)} refused; rules hit: {dict(hits)}")  # noqa: T201 (for the log)
    assert len(refused) >= 0.3 * GENERATED
    assert {rule.message for rule in twins().values() if rule.holds} == hits.keys()


def minimal(kind: str, **changes: Any) -> dict[str, Any]:
    specs: dict[str, dict[str, Any]] = {
        "Agent": {"knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}}]},
        "VectorIndex": {
            "backend": {"chroma": {"storage": "1Gi"}},
            "sources": [{"name": "docs", "configMap": {"name": "docs"}}],
        },
    }
    name = f"crd-test-{os.getpid()}"
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": specs[kind] | changes}


@pytest.fixture
async def stored(api: ApiServer) -> AsyncIterator[dict[str, tuple[str, dict[str, Any]]]]:
    """One stored object of each kind, which an operator leaves alone: its path, and what came back from creating it."""
    objects: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, kind in KINDS.items():
        manifest = minimal(name)
        manifest["metadata"]["annotations"] = {PAUSED_ANNOTATION: "true"}
        path = f"/apis/{API_VERSION}/namespaces/default/{kind.PLURAL}/{manifest['metadata']['name']}"
        answer = await api.apply(path, manifest)
        assert answer.accepted, answer.message
        objects[name] = (path, answer.body)
    yield objects
    for path, _ in objects.values():
        await api.request("DELETE", path)


def test_a_fresh_object_has_defaults_and_does_not_look_healthy(stored: dict[str, tuple[str, dict[str, Any]]]) -> None:
    agent, index = stored["Agent"][1], stored["VectorIndex"][1]
    assert agent["spec"] == {
        "architecture": "langgraph",
        "knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}, "topK": 5, "minScore": "0.45"}],
        "sessions": {"ttl": "24h", "maxTurns": 50},
        "limits": {"inFlight": 20, "requestTimeout": "60s"},
        "scaling": {"min": 1},
    }
    assert index["spec"]["chunking"] == {"maxTokens": 200, "overlap": 20}
    assert index["spec"]["deletionPolicy"] == "Retain"
    assert [each["status"] for each in (agent, index)] == [{"observedGeneration": -1}] * 2


@pytest.mark.parametrize(
    ("chroma", "says"),
    [
        ({"storage": "1024Mi"}, ""),
        ({"storage": "2Gi"}, "spec.backend.chroma.storage"),
        ({"storage": "1Gi", "storageClassName": "fast"}, "spec.backend.chroma.storageClassName"),
    ],
)
async def test_a_volume_stays_as_it_is(
    api: ApiServer, stored: dict[str, tuple[str, dict[str, Any]]], chroma: dict[str, str], says: str
) -> None:
    manifest = minimal("VectorIndex", backend={"chroma": chroma})
    manifest["metadata"]["annotations"] = {PAUSED_ANNOTATION: "true"}
    answer = await api.apply(stored["VectorIndex"][0], manifest)
    assert answer.accepted == (not says), answer.message
    assert says in answer.message


async def test_kubectl_finds_the_kinds_by_short_name_and_category(api: ApiServer) -> None:
    listed = (await api.request("GET", f"/apis/{API_VERSION}")).body["resources"]
    found = {each["kind"]: (each["shortNames"], each["categories"]) for each in listed if "/" not in each["name"]}
    assert found == {"Agent": (["agt"], ["slipway"]), "VectorIndex": (["vidx"], ["slipway"])}


async def test_kubectl_get_shows_our_columns(api: ApiServer, stored: dict[str, tuple[str, dict[str, Any]]]) -> None:
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    shown = {name: (await api.request("GET", path, accept=table)).body for name, (path, _) in stored.items()}
    columns = {name: [column["name"] for column in body["columnDefinitions"]] for name, body in shown.items()}
    assert columns == {
        "Agent": ["Name", "Ready", "Reason", "Revision", "Age"],
        "VectorIndex": ["Name", "Ready", "Reason", "Documents", "Age"],
    }
