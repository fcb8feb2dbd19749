"""An image that has to be signed: a Job verifies it, and nothing of it runs before that, or if it is not."""

from typing import Any

import pytest

from slipway_crds.plugins.model import Plugin
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import Child, project
from slipway_operator.plugins.plan import PluginView, plan_plugin
from slipway_operator.plugins.verification import AGAIN_SECONDS, job_name
from slipway_runtime.connector.image_verification import image_digest
from tests.support.operator_builds import NOW, SETTINGS, resource
from tests.support.operator_objects import CREATED

SPEC: dict[str, Any] = {
    "type": "mcp",
    "mcp": {"image": {"name": "registry.example.com/issues@sha256:" + 64 * "0"}},
    "signature": {
        "value": "A" * 64,
        "payload": "{}",
        "keys": [{"configMapRef": {"name": "publishers", "key": "acme.pem"}}],
    },
}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": CREATED}]}
FAILED = {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": CREATED}]}
SAID = "KeyExpired: the key that signed it expired at 2026-11-30: sign the content with a key that is still trusted"


def plugin_of(spec: dict[str, Any]) -> Plugin:
    return Plugin.model_validate({"metadata": {"name": "tools", "namespace": "demo"}, "spec": spec})


def planned(spec: dict[str, Any], *children: Child, now: float = NOW) -> Plan:
    plugin = plugin_of(spec)
    view = PluginView(resource=resource(plugin), plugin=plugin, children=children)
    return plan_plugin(view, SETTINGS, gateway_url="http://gateway/", now=now)


def stored(manifest: Any, status: dict[str, Any] | None = None) -> Child:
    """What was applied, as the API server has it."""
    added = {"uid": f"uid-{manifest['kind']}", "resourceVersion": "1", "generation": 1, "creationTimestamp": CREATED}
    raw = {**manifest, "metadata": {**manifest["metadata"], **added}, "status": status or {}}
    return project(manifest["kind"], raw)


def with_job(plan: Plan, status: dict[str, Any]) -> list[Child]:
    """What a plan applied, with this state of the Job."""
    manifests = [each.manifest for each in plan.apply]
    return [stored(each, status if each["kind"] == "Job" else None) for each in manifests]


def pod(said: str) -> Child:
    ended = {"terminated": {"reason": "Error", "exitCode": 1, "message": said}}
    raw = {
        "metadata": {
            "name": "tools-verify-x",
            "namespace": "demo",
            "uid": "pod",
            "resourceVersion": "1",
            "creationTimestamp": CREATED,
            "labels": {"batch.kubernetes.io/job-name": job_name(plugin_of(SPEC)), "slipway.dev/plugin": "tools"},
        },
        "status": {"phase": "Failed", "containerStatuses": [{"state": ended}]},
    }
    return project("Pod", raw)


def kinds(plan: Plan) -> list[str]:
    return sorted(each.manifest["kind"] for each in plan.apply)


def ready(plan: Plan) -> tuple[str, str]:
    status: Any = plan.status
    (found,) = [each for each in status["conditions"] if each["type"] == "Ready"]
    return found["reason"], found["message"]


@pytest.mark.proves("Plugin.signature.payload")
def test_an_image_does_not_run_before_a_job_without_a_network_has_verified_it() -> None:
    plan = planned(SPEC)
    assert kinds(plan) == ["Job", "NetworkPolicy", "NetworkPolicy", "Service", "ServiceAccount"]
    assert ready(plan)[0] == "VerifyingSignature"
    (job,) = [each.manifest for each in plan.apply if each.manifest["kind"] == "Job"]
    spec: Any = job["spec"]
    pod_spec = spec["template"]["spec"]
    assert pod_spec["automountServiceAccountToken"] is False
    assert pod_spec["containers"][0]["args"] == ["verify-image"]
    (keys,) = [each for each in pod_spec["volumes"] if each["name"] == "keys"]
    assert keys["projected"]["sources"][0]["configMap"]["name"] == "publishers"
    policies = {each.manifest["metadata"]["name"]: each.manifest for each in plan.apply}
    closed: Any = policies["tools-verify"]
    assert closed["spec"]["podSelector"]["matchLabels"]["slipway.dev/component"] == "verify"
    assert closed["spec"].keys() == {"podSelector", "policyTypes"}


def test_it_runs_once_it_is_verified() -> None:
    plan = planned(SPEC, *with_job(planned(SPEC), COMPLETE))
    assert "Deployment" in kinds(plan)
    assert ready(plan)[0] == "WaitingForConnector"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("registry.example.com/issues@sha256:" + 64 * "0", {}),
        ("registry.example.com:5000/issues:1.2", {"digest": "sha256:" + 64 * "0"}),
        ("issues", {"digest": "sha256:" + 64 * "0"}),
    ],
)
def test_every_pod_runs_what_the_job_verified_however_often_it_starts_anew(name: str, given: dict[str, str]) -> None:
    spec = {**SPEC, "mcp": {"image": {"name": name}}, **given}
    verified = [stored(each.manifest, COMPLETE) for each in planned(spec).apply]
    plan = planned(spec, *verified)
    (deployment,) = [each.manifest for each in plan.apply if each.manifest["kind"] == "Deployment"]
    template: Any = deployment["spec"]
    images = {each["name"]: each["image"] for each in template["template"]["spec"]["containers"]}
    digest = image_digest(plugin_of(spec))
    assert digest == "sha256:" + 64 * "0"
    assert images["plugin"] == f"{name.partition('@')[0]}@{digest}"


def test_why_an_image_does_not_run_is_told_and_what_ran_before_ends() -> None:
    verified = with_job(planned(SPEC), COMPLETE)
    running = [stored(each.manifest) for each in planned(SPEC, *verified).apply]
    others = [each for each in verified if each.kind != "Job"]
    failed = [each for each in with_job(planned(SPEC), FAILED) if each.kind == "Job"]
    plan = planned(SPEC, *others, *failed, *running, pod(SAID), now=NOW)
    assert ready(plan)[0] == "KeyExpired"
    assert ready(plan)[1].startswith("The key that signed it expired")
    assert plan.status["phase"] == "Stalled"
    assert "Deployment" in [each.child.kind for each in plan.delete]


def test_another_version_is_verified_while_the_one_before_runs() -> None:
    verified = with_job(planned(SPEC), COMPLETE)
    running = [stored(each.manifest) for each in planned(SPEC, *verified).apply]
    newer = {**SPEC, "config": {"team": "search"}}
    plan = planned(newer, *verified, *running)
    assert "Job" in kinds(plan)
    assert "Deployment" not in kinds(plan)
    assert [each.child.kind for each in plan.delete] == ["Job"]


def test_a_failed_job_is_tried_again_later() -> None:
    children = [*with_job(planned(SPEC), FAILED), pod("KeyMissing: a ConfigMap is missing")]
    (job,) = [each for each in children if each.kind == "Job"]
    detail: Any = job.detail
    early, late = (planned(SPEC, *children, now=detail.finished + AGAIN_SECONDS + each) for each in (-1, 1))
    assert [each.child.kind for each in early.delete] == []
    assert [each.child.kind for each in late.delete] == ["Job"]
    assert late.wake_after is not None
