"""Whether an image may run: a Job of the Plugin's namespace verifies its signature first, with no network.

The Job's name is a hash of the Plugin's version, so that each version is verified once, and another one anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from slipway_crds import contract
from slipway_crds.meta import PLUGIN_LABEL
from slipway_crds.plugins.connector import CREDENTIALS_DIR, code_files, connector_config, version_of
from slipway_crds.plugins.model import Plugin
from slipway_operator.core import policies
from slipway_operator.core.conditions import Trouble
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import JOB, POD
from slipway_operator.core.pods import container, pod_spec, pod_template, read_only, resources
from slipway_operator.core.projections import Child, JobState, PodState

COMPONENT = "verify"
RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
AGAIN_SECONDS = 120.0
"""From the end of a Job that failed to the next one: a ConfigMap with a key may have been missing."""
OWNER_AND_GROUP = 0o440
WORDS = 800
"""Characters of what a Job says."""


@dataclass(frozen=True)
class Verification:
    """How far it is.

    Args:
        passed: whether the image may run.
        failure: why it may not; None while that is not known.
        again: the Job that has to go, so that the next one can begin.
    """

    passed: bool
    failure: Trouble | None = None
    again: Child | None = None


def is_needed(plugin: Plugin) -> bool:
    """Whether a Plugin has an image that has to be signed. Others are verified by what loads them."""
    return plugin.spec.mcp is not None and plugin.spec.mcp.image is not None and plugin.spec.signature is not None


def job_name(plugin: Plugin) -> str:
    """Of the Job that verifies this version."""
    return f"{plugin.metadata.name}-{COMPONENT}-{version_of(plugin)}"


def verification_of(plugin: Plugin, children: Iterable[Child], *, now: float) -> Verification:
    """What the Job says. A Plugin that needs none has passed."""
    if not is_needed(plugin):
        return Verification(passed=True)
    known = list(children)
    job = next((each for each in known if each.kind == JOB.name and each.name == job_name(plugin)), None)
    state = job.detail if job is not None else None
    if job is None or not isinstance(state, JobState) or job.deleting or not (state.succeeded or state.failed):
        return Verification(passed=False)
    if state.succeeded:
        return Verification(passed=True)
    late = job if now > state.finished + AGAIN_SECONDS else None
    return Verification(passed=False, failure=_failure(job.name, known, state), again=late)


def _failure(job: str, children: Iterable[Child], state: JobState) -> Trouble:
    pods = [each.detail for each in children if each.kind == POD.name and isinstance(each.detail, PodState)]
    words = [pod.ended[2].strip() for pod in pods if pod.job == job and pod.ended[2].strip()]
    reason, separator, said = words[-1].splitlines()[-1][:WORDS].partition(": ") if words else ("", "", "")
    if separator and reason.isalnum() and reason.isascii():
        return Trouble(reason, f"{said[:1].upper()}{said[1:].rstrip('.')}.")
    return Trouble(contract.SIGNATURE_INVALID, f"The Job {job} failed: {state.message or 'see its pod'}.")


def verification_objects(owner: Owner, settings: BuildSettings, plugin: Plugin) -> list[Manifest]:
    """The Job, whose pods reach nothing and are reached by nobody."""
    if not is_needed(plugin):
        return []
    own = labels(COMPONENT, {PLUGIN_LABEL: owner.name})
    name = f"{owner.name}-{COMPONENT}"
    policy = policies.network_policy(name, owner, own, selector=own, ingress=[], egress=[])
    job = child(JOB, job_name(plugin), owner, own)
    job["spec"] = {"backoffLimit": 0, "template": pod_template(own, _pod(owner, settings, plugin), None)}
    return [*([policy] if settings.network_policies else []), job]


def _pod(owner: Owner, settings: BuildSettings, plugin: Plugin) -> JsonObject:
    verifier = container(
        settings,
        name=COMPONENT,
        image=settings.runtime_image,
        ports={},
        env=[{"name": "SLIPWAY_CONNECTOR", "value": connector_config(plugin).canonical().decode()}],
        mounts=[read_only("keys", CREDENTIALS_DIR)],
        resources=resources(RESOURCES, None),
        more={"args": [contract.VERIFY_COMMAND]},
    )
    sources: list[JsonObject] = [
        {each.kind: {"name": each.name, "optional": True, "items": [{"key": each.key, "path": each.file}]}}
        for each in code_files(plugin)
    ]
    keys: JsonObject = {"name": "keys", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": sources}}
    spec = pod_spec(
        settings,
        service_account=contract.connector_name(owner.name),
        container=verifier,
        volumes=[keys],
        pod=None,
    )
    spec["restartPolicy"] = "Never"
    return spec
