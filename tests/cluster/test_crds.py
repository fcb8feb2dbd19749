"""The CRDs on a real API server, and `slipway validate` next to it: the same verdict, manifest for manifest.

An API server and its etcd are all that this needs, so `make test-crds K8S=1.36` tries other versions in seconds.
"""

import asyncio
import json
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from devcluster import lifecycle
from devcluster.settings import DEFAULT_MINOR, state_home
from slipway_crds.checking import twins
from slipway_crds.definitions import custom_resource_definition
from slipway_crds.manifests import FieldProblem, ManifestError, load_paths, load_text
from slipway_crds.meta import API_VERSION, PAUSED_ANNOTATION
from slipway_crds.registry import KINDS
from slipway_crds.validate import validate_document
from tests.support.api_server import Answer, ApiServer, api_server
from tests.support.bad_manifests import bad_manifests
from tests.support.generated_manifests import manifests

pytestmark = pytest.mark.cluster

GENERATED = 5000
"""More than a thousand of each kind, so that every rule is broken by one that is right otherwise."""
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
        while not (await server.request("GET", path)).accepted:  # noqa: ASYNC110 (nothing notifies)
            await asyncio.sleep(0.05)


def problems_of(text: str) -> list[FieldProblem | ManifestError]:
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
    judged = await verdicts(api, [(_kind(each.text), each.text) for each in bad])
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


def _kind(text: str) -> str:
    named = [kind for kind in (*KINDS, "ConfigMap") if f"kind: {kind}\n" in text]
    return named[0] if named else "Agent"


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


ODD_CONFIG_MAPS = (
    *("data: {a.md: ~, b.md: , c: ''}", "data: ~", "binaryData: {a: ~}", "immutable: ~", "{}"),
    *("data: {released.txt: 2026-03-01}", "data: {at.txt: 12:30:00}", "data: {a: '1.10', b: \"yes\", c: !!str 5}"),
    *("data: {...: a}", "data: {..: a}", "data: {..a: a}", "data: {.a: a}", "data: {a..b: a}", "data: {-: a, _: b}"),
    *("data: {1.10: a, yes: b}", "data: {~: a}", "data: {'': a}", "data: {a/b: a}", "data: {a b: a}", "data: {ä: a}"),
    *(f"data: {{{'k' * 253}: a}}", f"data: {{{'k' * 254}: a}}", "data: {a: &x b, c: *x, d: &x e, f: *x}"),
    *("data: {a: 1.10}", "data: {a: 0x10}", "data: {a: .5}", "data: {a: on}", "data: {a: 'on'}", "data: {a: [b]}"),
    *("data: {a: {}}", "data: a", "data: []", "data: {a: b, a: c}", "data: {a: b}\ndata: {a: c}", "spec: {}"),
    *("binaryData: {a: YQ==}", "binaryData: {a: YQ}", "binaryData: {a: YR==}", "binaryData: {a: 'YQ==YQ=='}"),
    *("binaryData: {a: ' YQ=='}", 'binaryData: {a: "Y\\nQ=\\r\\n="}', "binaryData: {a: '====' }", "binaryData: {a: 5}"),
    *("binaryData: {a: ''}", "binaryData: {a: !!binary YQ==}", "binaryData: {a: YQ-_}", "binaryData: {a: YQ==b}"),
    *("data: {a: b}\nbinaryData: {a: YQ==}", "data: {a: b}\nbinaryData: {b: YQ==}"),
    *("immutable: true", "immutable: 'true'", "immutable: 1", "immutable: yes", "Data: {a: b}", "stringData: {a: b}"),
    *(f"data: {{a: {'x' * size}}}" for size in (2**20, 2**20 + 1)),
    *(f"data: {{a: {'x' * 2**19}}}\nbinaryData: {{b: {'YWFh' * size}}}" for size in (174_762, 174_763)),
    *(
        "data: {a: " + "9" * 300 + "}",
        "data: {a: 0x" + "f" * 300 + "}",
        "data: {a: 1e999}",
        "data: {a: " + "9" * 310 + "}",
    ),
    *("data: {a: !!int abc}", "data: {a: !!bool x}", "data: {a: !!null x}", "data: {a: !!null ''}"),
    *("data: {a: !!timestamp x}", "data: {a: !!timestamp 2026-01-02}", "data: {a: !!float abc}"),
)
CONFIG_MAP_METADATA = (
    *("{name: a.b.c-1}", "{name: A}", "{name: -a}", "{name: a..b}", "{name: a_b}", "{name: 1}", "{name: '1'}", "{}"),
    *("{generateName: a-}", "{generateName: A}", "{name: a, labels: {a: 1}}", "{name: a, labels: {a: b c}}", "~"),
    *("{name: a, annotations: {a b: c}}", "{name: a, foo: b}", "{name: a, ownerReferences: [{}]}", "[]"),
    *(f"{{name: {'a' * size}}}" for size in (253, 254)),
)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # nothing else is under way
async def test_config_maps_get_the_same_verdict(api: ApiServer) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\n"
    texts = [
        *(f"{head}metadata: {{name: odd}}\n{'' if rest == '{}' else rest}\n" for rest in ODD_CONFIG_MAPS),
        *(f"{head}metadata: {metadata}\ndata: {{a: b}}\n" for metadata in CONFIG_MAP_METADATA),
        f"{head}data: {{a: b}}\n",
    ]
    judged = await verdicts(api, [("ConfigMap", text) for text in texts])
    assert differences(judged) == []
    refused = sum(1 for _, answer in judged if not answer.accepted)
    assert 10 <= refused <= len(judged) - 10


CONFIG_MAP_JSON = r"""{
  "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "escaped"},
  "data": {"a": "\ud83d\ude00\u00e4\/\t", "b": "\\ud83d\\ude00", "c": "\\\ud83d\ude00", "d": "\ud83d and \ude00"}
}"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {size.txt: groß}\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_are_read_in_the_encodings_that_kubectl_takes(
    api_kubeconfig: str, tmp_path: Path, encoding: str, mark: str
) -> None:
    text = mark + "---\n".join(CONFIG_MAP.replace("NAME", name) for name in ("one", "two"))
    file = tmp_path / "encoded.yaml"
    file.write_bytes(text.encode(encoding))
    kubectl = str(lifecycle.kubectl_binary(DEFAULT_MINOR))
    command = [kubectl, "--kubeconfig", api_kubeconfig, "create", "--dry-run=server", "-f", str(file)]
    created = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        read = len(load_paths([file]))
    except ManifestError:
        read = 0
    assert (read, created.returncode) in ((2, 0), (0, 1)), created.stderr
    assert created.stdout.count("created") == read


def test_json_with_escapes_is_read_as_kubectl_reads_it(api_kubeconfig: str, tmp_path: Path) -> None:
    file = tmp_path / "escaped.json"
    file.write_text(CONFIG_MAP_JSON)
    kubectl = str(lifecycle.kubectl_binary(DEFAULT_MINOR))
    command = [kubectl, "--kubeconfig", api_kubeconfig, "create", "--dry-run=server", "-o", "json", "-f", str(file)]
    created = subprocess.run(command, capture_output=True, text=True, check=True)
    [document] = load_paths([file])
    assert isinstance(document.value, dict)
    assert document.value["data"] == json.loads(created.stdout)["data"]


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
        "Plugin": {"type": "mcp", "mcp": {"serviceRef": {"name": "tools", "port": 8000}}},
        "Workflow": {"steps": [{"name": "ask", "agentRef": {"name": "handbook"}}]},
    }
    name = f"crd-test-{os.getpid()}"
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": specs[kind] | changes}


@pytest.fixture
async def stored(api: ApiServer) -> AsyncIterator[dict[str, tuple[str, dict[str, Any]]]]:
    """One stored object of each kind, which an operator leaves alone: its path, and what came back from creating it."""
    objects: dict[str, tuple[str, dict[str, Any]]] = {}
    try:
        for name, kind in KINDS.items():
            manifest = minimal(name)
            manifest["metadata"]["annotations"] = {PAUSED_ANNOTATION: "true"}
            path = f"/apis/{API_VERSION}/namespaces/default/{kind.PLURAL}/{manifest['metadata']['name']}"
            answer = await api.apply(path, manifest)
            assert answer.accepted, answer.message
            objects[name] = (path, answer.body)
        yield objects
    finally:
        for path, _ in objects.values():
            await api.request("DELETE", path)


def test_a_fresh_object_has_defaults_and_does_not_look_healthy(stored: dict[str, tuple[str, dict[str, Any]]]) -> None:
    agent, index, plugin, workflow = (stored[kind][1] for kind in ("Agent", "VectorIndex", "Plugin", "Workflow"))
    assert agent["spec"] == {
        "architecture": "langgraph",
        "models": [],
        "knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}, "topK": 5, "minScore": "0.45"}],
        "sessions": {"ttl": "24h", "maxTurns": 50},
        "limits": {"inFlight": 20, "requestTimeout": "60s", "maxSteps": 20},
        "scaling": {"min": 1},
        "egress": [],
        "members": [],
        "tools": [],
        "plugins": [],
        "approvals": [],
        "prompts": [],
        "telemetry": {"content": False},
    }
    assert index["spec"]["chunking"] == {"maxTokens": 200, "overlap": 20}
    assert index["spec"]["search"] == {"mode": "hybrid", "fusion": "weighted", "lexicalWeight": "0.2", "neighbours": 0}
    assert index["spec"]["acceptance"] == {"minRecall": "0.95", "minHitRate": "0.9"}
    assert index["spec"]["revisions"] == {"keepFor": "24h"}
    assert index["spec"]["ingestion"] == {"shards": 1, "parallelism": 4}
    assert index["spec"]["documents"] == {"store": {"postgres": {}}}
    assert index["spec"]["deletionPolicy"] == "Retain"
    assert plugin["spec"]["mcp"] == {
        "serviceRef": {"name": "tools", "port": 8000, "path": "/mcp"},
        "headers": [],
        "tools": {"rename": []},
        "timeout": "60s",
        "connectTimeout": "5s",
    }
    assert workflow["spec"] == {
        "steps": [
            {
                "name": "ask",
                "needs": [],
                "agentRef": {"name": "handbook"},
                "retry": {"attempts": 3, "delay": "1s", "maxDelay": "1m"},
                "timeout": "5m",
                "onFailure": "Fail",
                "repeat": "Safe",
            }
        ],
        "limits": {"timeout": "24h", "stepsAtOnce": 8},
        "triggers": [],
    }
    assert [each["status"] for each in (agent, index, plugin, workflow)] == [{"observedGeneration": -1}] * 4


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
    short = {"Agent": "agt", "VectorIndex": "vidx", "Plugin": "plg", "Workflow": "wfl"}
    assert found == {kind: ([name], ["slipway"]) for kind, name in short.items()}


async def test_kubectl_get_shows_our_columns(api: ApiServer, stored: dict[str, tuple[str, dict[str, Any]]]) -> None:
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    shown = {name: (await api.request("GET", path, accept=table)).body for name, (path, _) in stored.items()}
    columns = {name: [column["name"] for column in body["columnDefinitions"]] for name, body in shown.items()}
    assert columns == {
        "Agent": ["Name", "Ready", "Reason", "Revision", "Age"],
        "VectorIndex": ["Name", "Ready", "Reason", "Documents", "Age"],
        "Plugin": ["Name", "Ready", "Reason", "Era", "Tools", "Version", "Age"],
        "Workflow": ["Name", "Ready", "Reason", "Success", "Next", "Age"],
    }
