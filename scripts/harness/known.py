"""The stages and steps that our pipelines use, with every key and value that they may have.

A type, key or value that Harness knows and this file does not is added here first. Where Harness offers a value that
would open a gate (`autoApprove: true`, the failure action `Ignore`), leaving it out is the point.
"""

import re
from collections.abc import Iterator

from scripts.harness import turns
from scripts.harness.folder import Entity, Json
from scripts.harness.keys import ANYTHING, Kinds, Shape, differences
from scripts.harness.problems import Problem
from scripts.harness.templates import keyed

DURATION = re.compile(r"([0-9]+[smhdw])+")
TAG = ("<+pipeline.variables.image_tag>",)
REPOSITORY = re.compile(r"<\+pipeline\.variables\.image_registry>/([\w/]+|<\+matrix\.\w+>)")
PUBLISHED = re.compile(f"{REPOSITORY.pattern}:{re.escape(TAG[0])}")
ANSWERED = ("<+httpResponseCode> == 200",)

FINAL: dict[str, Shape] = {"Abort": None, "StageRollback": None}
AFTERWARDS = {"action": Kinds("failure action", {}, FINAL)}
ACTIONS: dict[str, Shape] = {
    **FINAL,
    "Retry": {"retryCount": range(1, 6), "retryIntervals": [DURATION], "onRetryFailure": AFTERWARDS},
    "ManualIntervention": {"timeout": DURATION, "onTimeout": AFTERWARDS},
}
FAILURE = {
    "onFailure": {
        "errors": [("AllErrors", "Connectivity", "InfrastructureFailure", "Verification")],
        "action": Kinds("failure action", {}, ACTIONS),
    }
}

LOG = {"level": ("debug", "info")}
SCAN = {"mode": ("orchestration",), "config": ("default",)}
SCAN_SOURCES = {
    **SCAN,
    "target": {"type": ("repository",), "detection": ("auto",)},
    "advanced": {"log": LOG, "fail_on_severity": ("high", "medium", "low")},
}
SCAN_IMAGE = {
    **SCAN,
    "advanced": {"log": LOG, "fail_on_severity": ("critical", "high", "medium", "low")},
    "target": {"type": ("container",), "detection": ("auto",)},
    "image": {"type": ("docker_v2",), "name": REPOSITORY, "tag": TAG},
}
IMAGE = {"type": ("docker",), "spec": {"connector": str, "image": PUBLISHED}}
SYNC_OPTIONS = {
    "skipSchemaValidation": bool,
    "autoCreateNamespace": bool,
    "pruneResourcesAtLast": bool,
    "applyOutOfSyncOnly": bool,
    "replaceResources": bool,
    "prunePropagationPolicy": ("foreground", "background", "orphan"),
}
STEPS: dict[str, Shape] = {
    "AquaTrivy": SCAN_IMAGE,
    "Bandit": SCAN_SOURCES,
    "Checkov": SCAN_SOURCES,
    "GitOpsFetchLinkedApps": {},
    "GitOpsSync": {
        "applicationRegex": str,
        "prune": bool,
        "dryRun": (False,),
        "applyOnly": bool,
        "forceApply": bool,
        "waitTillHealthy": (True,),
        "failOnTimeout": (True,),
        "syncOptions": SYNC_OPTIONS,
    },
    "GitOpsUpdateReleaseRepo": {
        "prTitle": str,
        "variables": [{"name": str, "type": ("String",), "value": TAG}],
    },
    "Gitleaks": SCAN_SOURCES,
    "HarnessApproval": {
        "approvalMessage": str,
        "includePipelineExecutionHistory": bool,
        "approvers": {"userGroups": [str], "minimumCount": range(1, 10), "disallowPipelineExecutor": (True,)},
        "approverInputs": ([],),
    },
    "Http": {
        "url": str,
        "method": ("GET", "POST"),
        "headers": [{"key": str, "value": str}],
        "requestBody?": str,
        "assertion": ANSWERED,
    },
    "IACMApproval": {"autoApprove": (False,)},
    "IACMCheckov": {},
    "IACMTerraformPlugin": {"command": ("init", "plan", "apply")},
    "K8sBGSwapServices": {},
    "K8sBlueGreenDeploy": {"skipDryRun": bool, "pruningEnabled": bool},
    "K8sBlueGreenStageScaleDown": {},
    "K8sCanaryDelete": {},
    "K8sCanaryDeploy": {
        "skipDryRun": bool,
        "instanceSelection": {"type": ("Count",), "spec": {"count": range(1, 100)}},
    },
    "K8sRollingDeploy": {"skipDryRun": bool, "pruningEnabled": bool},
    "K8sRollingRollback": {"pruningEnabled": bool},
    "MergePR": {"deleteSourceBranch": bool},
    "OsvScanner": SCAN_SOURCES,
    "RevertPR": {"commitId": str, "prTitle": str},
    "Run": {
        "shell": ("Bash",),
        "command": str,
        "envVariables?": {str: str},
        "outputVariables?": [{"name": re.compile(r"[a-zA-Z_]\w*")}],
    },
    "Semgrep": SCAN_SOURCES,
    "SscaArtifactSigning": {
        "source": IMAGE,
        "signing": {"type": ("keybased",), "spec": {"private_key": str, "password": str}},
        "uploadSignature": {"upload": (True,)},
    },
    "SscaArtifactVerification": {
        "source": IMAGE,
        "verifySign": {"type": ("keybased",), "spec": {"public_key": str}},
    },
    "SscaOrchestration": {
        "mode": ("generation",),
        "tool": {"type": ("Syft",), "spec": {"format": ("cyclonedx-json", "spdx-json")}},
        "source": IMAGE,
        "attestation": {"type": ("keybased",), "spec": {"privateKey": str, "password": str}},
    },
    "Verify": {
        "type": ("Bluegreen", "Canary"),
        "monitoredService": {"type": ("Default",), "spec": {}},
        "spec": {"sensitivity": ("HIGH", "MEDIUM", "LOW"), "duration": DURATION, "deploymentTag": TAG},
    },
}
STEP = Kinds("step", {"name": str, "identifier": str, "timeout?": DURATION, "failureStrategies?": [FAILURE]}, STEPS)
WRAPPED_STEP = {"step": STEP}
STEP_LIST = [{"step?": STEP, "parallel?": [WRAPPED_STEP]}]
EXECUTION = {"execution": {"steps": STEP_LIST}}

MACHINE = {
    "platform": {"os": ("Linux",), "arch": ("Amd64", "Arm64")},
    "runtime": {"type": ("Cloud",), "spec": {}},
}
STAGES: dict[str, Shape] = {
    "Approval": EXECUTION,
    "CI": {"cloneCodebase": bool, "caching?": {"enabled": bool}, **MACHINE, **EXECUTION},
    "SecurityTests": {"cloneCodebase": bool, **MACHINE, **EXECUTION},
    "IACM": {"workspace": str, **MACHINE, **EXECUTION},
    "Deployment": {
        "deploymentType": ("Kubernetes",),
        "gitOpsEnabled?": bool,
        "service": {"serviceRef": str},
        "environment": {
            "environmentRef": str,
            "deployToAll": (False,),
            "infrastructureDefinitions?": [{"identifier": str}],
            "gitOpsClusters?": [{"identifier": str}],
        },
        "execution": {"steps": STEP_LIST, "rollbackSteps": STEP_LIST},
    },
}
STAGE = Kinds(
    "stage",
    {
        "name": str,
        "identifier": str,
        # What the condition says is looked at by `conditions`.
        "when?": {"pipelineStatus": ("Success",), "condition": str},
        "strategy?": {"matrix": {str: [str]}},
        "failureStrategies": [FAILURE],
    },
    STAGES,
)
BUILD = Kinds("build", {}, {"PR": {"number": str}, "branch": {"branch": str}, "tag": {"tag": str}})
CODEBASE = {"connectorRef": str, "repoName": str, "build": str}
PIPELINE = {
    "name": str,
    "identifier": str,
    "orgIdentifier": str,
    "projectIdentifier": str,
    "tags": {str: str},
    "properties?": {"ci": {"codebase": CODEBASE}},
    "variables": [{"name": str, "type": ("String", "Number", "Secret"), "description?": str, "value": str}],
    "stages": [{"stage": STAGE}],
}
# Inputs are compared with the template when they are put in.
LINK = {"templateRef": str, "versionLabel": str, "templateInputs?": {str: ANYTHING}}


def pipeline_problems(file: str, pipeline: Json) -> Iterator[Problem]:
    """What an expanded pipeline (the value under the key `pipeline`) has that is not listed here."""
    for path, message in differences(pipeline, PIPELINE, ("pipeline",)):
        yield Problem(file, path, message)


def link_problems(entity: Entity) -> Iterator[Problem]:
    """The same for the uses of templates in a file as it is written: expanding takes them away."""
    for path, key, value in keyed(entity.body, (entity.kind,)):
        for where, message in differences(value, LINK, path) if key == "template" else ():
            yield Problem(entity.file, where, message)


def input_problems(entity: Entity) -> Iterator[Problem]:
    """The same for what an input set builds, which stands in a pipeline as one input."""
    build = turns.value(entity.body, "pipeline.properties.ci.codebase.build")
    if entity.kind == "inputSet" and build is not None:
        path = ("inputSet", "pipeline", "properties", "ci", "codebase", "build")
        for where, message in differences(build, BUILD, path):
            yield Problem(entity.file, where, message)
