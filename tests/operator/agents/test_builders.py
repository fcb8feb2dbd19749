"""An Agent's objects."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from slipway_crds.agents.model import Scaling
from slipway_crds.bindings import host_files
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig, RuntimeConfig
from slipway_operator.agents.builders import Revision, agent_objects, revision_name, revision_objects
from slipway_operator.agents.scaling import scale_for
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.projections import project
from tests.support.network_policies import reaches
from tests.support.operator_builds import FULL_SETTINGS, SETTINGS, agent, index, owner
from tests.support.operator_objects import deployment


def config(**spec: Any) -> RuntimeConfig:
    resolved = resolve_agent(agent(**spec), by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    return runtime_config(resolved)


def rendered(settings: BuildSettings = SETTINGS, **spec: Any) -> list[Manifest]:
    model = agent(**spec)
    revision = Revision(config=config(**spec), files=host_files(model), state="Serving")
    per_agent = agent_objects(owner(), settings, model.spec, revision.config.agents, serving=revision.name)
    per_revision = revision_objects(owner(), settings, revision, pod=model.spec.pod, store_secret="slipway-store-1")
    return [*per_agent, *per_revision]


def of_kind(manifests: Sequence[Manifest], kind: str) -> Any:
    """Untyped, since the tests look deep inside."""
    return next((manifest for manifest in manifests if manifest["kind"] == kind), None)


@pytest.mark.parametrize(
    ("name", "settings", "spec"),
    [
        ("agent", SETTINGS, {}),
        (
            "agent-full",
            FULL_SETTINGS,
            {
                "scaling": {"min": 2, "max": 10},
                "limits": {"requestTimeout": "2m"},
                "pod": {"resources": {"requests": {"memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}},
                "models": [
                    {
                        "name": "gpt",
                        "provider": "openai",
                        "model": "gpt-5-mini",
                        "apiKeyRef": {"name": "openai", "key": "OPENAI_API_KEY"},
                        "price": {"input": "0.25", "output": "2"},
                    },
                    {
                        "name": "own",
                        "provider": "openai-compatible",
                        "model": "qwen",
                        "baseURL": "https://llm.models.svc:8443/v1",
                        "tls": {"caBundleRef": {"name": "authorities", "key": "ca.crt"}},
                    },
                ],
                "egress": [{"namespace": "models", "podLabels": {"app": "llm"}, "ports": [8443]}],
            },
        ),
    ],
)
def test_the_objects_are_as_they_were(
    golden: Callable[[str, Sequence[Manifest]], None], name: str, settings: BuildSettings, spec: dict[str, Any]
) -> None:
    golden(name, rendered(settings, **spec))


def test_what_changes_answers_names_a_revision_and_nothing_else_does() -> None:
    same = revision_name(config())
    assert same == revision_name(config(scaling={"min": 3}, pod={"resources": {"limits": {"cpu": "1"}}}))
    assert same != revision_name(config(min_score="0.5"))
    assert same != revision_name(config(limits={"requestTimeout": "30s"}))


@pytest.mark.proves("Agent.scaling.max")
def test_scaling_max_makes_an_autoscaler() -> None:
    scaler = of_kind(rendered(scaling={"min": 2, "max": 5}), "HorizontalPodAutoscaler")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 5)
    assert scaler["spec"]["scaleTargetRef"]["name"] == revision_name(config())
    assert of_kind(rendered(scaling={"min": 2, "max": 2}), "HorizontalPodAutoscaler") is None
    assert of_kind(rendered(scaling={"min": 2}), "HorizontalPodAutoscaler") is None


@pytest.mark.proves("Agent.scaling.min")
def test_scaling_min_is_the_number_of_pods() -> None:
    child = project("Deployment", deployment("support-1", replicas=1))
    scale = scale_for(child, Scaling(min=3), serving=child)
    assert scale is not None
    assert (scale.deployment, scale.replicas) == ("support-1", 3)
    assert "replicas" not in of_kind(rendered(scaling={"min": 3}), "Deployment")["spec"], "others scale, too"


def test_pods_of_one_agent_prefer_different_nodes_and_zones() -> None:
    affinity = of_kind(rendered(), "Deployment")["spec"]["template"]["spec"]["affinity"]
    assert list(affinity) == ["podAntiAffinity"]
    assert list(affinity["podAntiAffinity"]) == ["preferredDuringSchedulingIgnoredDuringExecution"], "never required"
    terms = [each["podAffinityTerm"] for each in affinity["podAntiAffinity"].popitem()[1]]
    assert [each["topologyKey"] for each in terms] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    labels = of_kind(rendered(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    for term in terms:
        selected = term["labelSelector"]["matchLabels"]
        assert selected == {"slipway.dev/agent": "support"}, "other agents do not matter, other revisions do"
        assert selected.items() <= labels.items()


def test_an_affinity_of_the_manifest_adds_to_the_preference_or_takes_its_place() -> None:
    def affinity(given: dict[str, Any]) -> Any:
        return of_kind(rendered(pod={"affinity": given}), "Deployment")["spec"]["template"]["spec"]["affinity"]

    preference = of_kind(rendered(), "Deployment")["spec"]["template"]["spec"]["affinity"]
    assert affinity({"nodeAffinity": {"x": []}}) == {**preference, "nodeAffinity": {"x": []}}
    assert affinity({"podAntiAffinity": {}}) == {"podAntiAffinity": {}}


def test_where_pods_run_is_no_part_of_the_revision_but_of_what_is_rolled() -> None:
    one, other = (rendered(pod=pod) for pod in (None, {"nodeSelector": {"pool": "agents"}}))
    names, templates = [], []
    for manifests in (one, other):
        metadata = of_kind(manifests, "Deployment")["metadata"]
        names.append(metadata["name"])
        templates.append(metadata["annotations"]["slipway.dev/template"])
    assert names[0] == names[1]
    assert templates[0] != templates[1]


def test_a_pod_has_time_for_its_longest_answer() -> None:
    pod = of_kind(rendered(limits={"requestTimeout": "2m"}), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 150


def test_pods_carry_no_token_and_no_rights() -> None:
    pod = of_kind(rendered(), "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    host = pod["containers"][0]["securityContext"]
    assert host["readOnlyRootFilesystem"] is True
    assert host["capabilities"] == {"drop": ["ALL"]}
    assert of_kind(rendered(), "ServiceAccount")["automountServiceAccountToken"] is False


def test_agents_reach_their_indexes_the_store_and_names_but_no_metadata_address() -> None:
    policy = of_kind(rendered(FULL_SETTINGS), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {53, 6432, 3128, 4318, 8000, 8080}, "names, store, proxy, collector, index, gateway"
    for address in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe"):
        assert not [port for port in ports if reaches(policy, address, port)], address
    translated = ("64:ff9b::a9fe:a9fe", "64:ff9b::6464:64c8", "64:ff9b::a83f:8110", "2002:a9fe:a9fe::1")
    for address in ("168.63.129.16", "2002:6464:64c8::1", "2002:a83f:8110::1", *translated):
        assert not [port for port in ports - {53} if reaches(policy, address, port)], address


def test_metrics_are_for_labelled_namespaces_and_not_for_the_gateway() -> None:
    objects = rendered()
    ingress = of_kind(objects, "NetworkPolicy")["spec"]["ingress"]
    (to_metrics,) = [rule for rule in ingress if rule["ports"][0]["port"] == 8081]
    assert to_metrics["from"] == [{"namespaceSelector": {"matchLabels": {"slipway.dev/metrics": "true"}}}]
    ports = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {"http": 8080, "metrics": 8081}


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.7", "2001:db8::7", "fd00::7"])
def test_the_store_may_be_anywhere(address: str) -> None:
    policy = of_kind(rendered(FULL_SETTINGS), "NetworkPolicy")["spec"]
    assert reaches(policy, address, 6432)
    assert not reaches(policy, address, 22)


@pytest.mark.parametrize("address", ["169.254.20.10", "fe80::53", "fd00:ec2::253"])
def test_a_name_server_may_be_on_the_node_or_of_the_cloud(address: str) -> None:
    """169.254.20.10 is the address of NodeLocal DNSCache: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/"""
    assert reaches(of_kind(rendered(), "NetworkPolicy")["spec"], address, 53, protocol="UDP")


@pytest.mark.proves("Agent.custom.image")
def test_code_of_ones_own_runs_in_its_image_with_the_same_rights() -> None:
    code: dict[str, Any] = {"architecture": "custom", "knowledge": [], "custom": {"entryPoint": "desk:make"}}
    own = {**code, "custom": {"entryPoint": "desk:make", "image": "registry.test/desk:1"}}
    ordinary = of_kind(rendered(**code), "Deployment")["spec"]["template"]["spec"]
    pod = of_kind(rendered(**own), "Deployment")["spec"]["template"]["spec"]
    assert ordinary["containers"][0]["image"] == SETTINGS.runtime_image
    assert pod["containers"][0]["image"] == "registry.test/desk:1"
    assert pod["automountServiceAccountToken"] is False
    for name in ("securityContext", "args", "volumeMounts"):
        assert pod["containers"][0][name] == ordinary["containers"][0][name]


def test_a_program_of_ones_own_runs_next_to_the_host_without_the_store() -> None:
    own: dict[str, Any] = {
        "architecture": "custom",
        "knowledge": [],
        "custom": {"image": "registry.test/desk:1", "port": 9000},
    }
    pod = of_kind(rendered(**own), "Deployment")["spec"]["template"]["spec"]
    host, program = pod["containers"]
    assert host["image"] == SETTINGS.runtime_image
    assert (program["name"], program["image"]) == ("custom", "registry.test/desk:1")
    assert program["securityContext"] == host["securityContext"]
    assert [each["mountPath"] for each in program["volumeMounts"]] == ["/tmp"]
    assert program["volumeMounts"][0]["name"] != host["volumeMounts"][0]["name"]
    assert {"name": "PORT", "value": "9000"} in program["env"]
    assert not [each for each in program["env"] if each["name"].startswith("SLIPWAY_")]
    assert program["startupProbe"]["tcpSocket"]["port"] == 9000


def test_the_port_of_a_member_elsewhere_is_open_at_public_addresses() -> None:
    members = [{"name": "tax", "url": "https://tax.example.org:8443/a2a"}]
    fields: dict[str, Any] = {"architecture": "orchestrator", "knowledge": [], "members": members}
    policy = of_kind(rendered(FULL_SETTINGS, **fields), "NetworkPolicy")["spec"]
    assert reaches(policy, "93.184.216.34", 8443)
    assert not reaches(policy, "10.1.2.3", 8443)


def test_the_port_of_an_agent_elsewhere_is_open_at_public_addresses() -> None:
    fields: dict[str, Any] = {
        "architecture": "pydantic-ai",
        "knowledge": [],
        "models": [
            {"name": "own", "provider": "openai-compatible", "model": "m", "baseURL": "http://llm.ai.svc:8000/v1"}
        ],
        "tools": [{"name": "ask-tax", "url": "https://tax.example.org:8443/a2a"}],
    }
    policy = of_kind(rendered(FULL_SETTINGS, **fields), "NetworkPolicy")["spec"]
    assert reaches(policy, "93.184.216.34", 8443)
    assert not reaches(policy, "10.1.2.3", 8443)
