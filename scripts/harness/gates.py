"""Every stage and step that a release passes, in order, with what each stops. `gate_check` holds the pipelines to it.

A stage or step that was deleted leaves a pipeline that is right in all else. So what must be there is written down
once more, here: whoever adds, moves or removes a gate changes this table in the same commit, in sight of who reads it.
How each gate is set is held in held.txt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """A step that must be there, behind the one before it in the table."""

    name: str
    """Its type; for Run and IACMTerraformPlugin the whole command, for Verify with what it compares."""
    stops: str
    """What gets through without it."""
    beside: bool = False
    """It may run at the same time as the one before it."""


@dataclass(frozen=True)
class Stage:
    """A stage that must be there, behind the one before it in the table."""

    identifier: str
    stops: str
    steps: tuple[Step, ...]
    rollback: tuple[Step, ...] = ()
    only_if: tuple[str, ...] = ()
    """Variables of the pipeline that its condition compares with "yes". It has no other parts."""
    on_failure: str = "Abort"
    """What becomes of every failure."""
    environment: str | None = None
    """Where it deploys to."""


@dataclass(frozen=True)
class Trigger:
    """A trigger that must be there and enabled."""

    event: str
    """`type` of what fires it."""
    stops: str
    runs_with: Mapping[str, str] = field(default_factory=dict)
    """Variables of the pipeline that its input sets must give these values."""


RELEASE = ("release",)
WHERE = 'REGISTRY="$REGISTRY" TAG="$TAG"'
ASK = Step("Http", "a release that answers no question")
DEPLOY = Step("K8sRollingDeploy", "a stage that passes and deploys nothing")
ROLLING_BACK = Step("K8sRollingRollback", "a broken release that stays")
APPROVE = Step("HarnessApproval", "a release that nobody agreed to")
VERIFIED = "a release with more errors or longer latencies than the one before"


def terraform(environment: str) -> Stage:
    return Stage(
        f"terraform_{environment}",
        f"a release that needs changed infrastructure in {environment}",
        (
            Step("terraform init", "a plan on another state"),
            Step("IACMCheckov", "unsafe infrastructure"),
            Step("terraform plan", "an approval of nothing that can be read"),
            Step("IACMApproval", "a change of infrastructure that nobody has read"),
            Step("terraform apply", "a stage that passes and changes nothing"),
        ),
        only_if=("release", "change_infrastructure"),
        on_failure="ManualIntervention",
    )


def deployment(
    part: str, environment: str, steps: tuple[Step, ...] = (DEPLOY,), rollback: tuple[Step, ...] = (ROLLING_BACK,)
) -> Stage:
    what = f"a release without {part.replace('_', ' ')} in {environment}"
    return Stage(f"{part}_{environment}", what, steps, rollback, RELEASE, "StageRollback", environment)


BLUE_GREEN = (
    Step("K8sBlueGreenDeploy", "a gateway that replaces the old one before anybody saw it answer"),
    ASK,
    APPROVE,
    Step("K8sBGSwapServices", "a stage that passes while callers stay with the old gateway"),
    Step("Verify Bluegreen", VERIFIED),
    Step("K8sBlueGreenStageScaleDown", "two gateways that both run on"),
)
CANARY = (
    Step("K8sCanaryDeploy", "a gateway that meets all callers at once"),
    ASK,
    Step("Verify Canary", VERIFIED),
    APPROVE,
    Step("K8sCanaryDelete", "a canary that stays beside the release"),
    DEPLOY,
)
SWITCH_BACK = (Step("K8sBGSwapServices", "a broken gateway that keeps the callers"),)
CANARY_BACK = (Step("K8sCanaryDelete", "a broken canary that keeps its callers"), ROLLING_BACK)

SLIPWAY = (
    Stage(
        "test",
        "a commit that was never tested",
        (
            Step("make test", "behaviour that breaks, in processes or on a real Kubernetes"),
            Step("make test-all-agents", "an architecture that fails behind one of the protocols"),
            Step("make eval", "answers below the bars"),
            Step("make ragas", "answers that ragas finds below the bars"),
            Step("make audit", "secrets, unsafe code, forbidden licences, unsafe settings"),
        ),
    ),
    Stage(
        "scan_sources",
        "a commit that was never scanned",
        (
            Step("Bandit", "unsafe Python"),
            Step("Semgrep", "known patterns of unsafe code", beside=True),
            Step("Gitleaks", "a secret in the sources", beside=True),
            Step("OsvScanner", "a locked package with a known vulnerability", beside=True),
            Step("Checkov", "unsafe Terraform, chart or Dockerfile", beside=True),
        ),
    ),
    Stage(
        "publish",
        "a release without images and a chart",
        (
            Step(f"make publish-images {WHERE}", "a release without its images"),
            Step(f"make publish-chart {WHERE}", "a release without its chart"),
            Step("SscaArtifactSigning", "a chart that nobody signed"),
        ),
        only_if=RELEASE,
    ),
    Stage(
        "attest_images",
        "images that nobody scanned or signed",
        (
            Step("AquaTrivy", "an image with a critical vulnerability"),
            Step("SscaOrchestration", "an image without an SBOM"),
            Step("SscaArtifactSigning", "an image that nobody signed"),
        ),
        only_if=RELEASE,
    ),
    terraform("dev"),
    deployment("control_plane", "dev"),
    deployment("agents", "dev"),
    deployment("gateway", "dev", (DEPLOY, ASK)),
    terraform("staging"),
    deployment("control_plane", "staging"),
    deployment("agents", "staging"),
    deployment("gateway", "staging", BLUE_GREEN, SWITCH_BACK),
    Stage("approve_production", "a release to production that nobody agreed to", (APPROVE,), only_if=RELEASE),
    Stage(
        "verify_signatures",
        "an image or chart that was replaced since it was signed",
        (Step("SscaArtifactVerification", "an image or chart that was replaced since it was signed"),),
        only_if=RELEASE,
    ),
    terraform("prod"),
    deployment("control_plane", "prod"),
    deployment("agents", "prod"),
    deployment("gateway", "prod", CANARY, CANARY_BACK),
)


def promotion(environment: str) -> Stage:
    merge = Step("MergePR", "a pull request that stays open, so that Argo CD sees nothing")
    return Stage(
        f"promote_{environment}",
        f"a release without {environment}",
        (
            Step("GitOpsUpdateReleaseRepo", "a stage that passes and releases nothing"),
            merge,
            Step("GitOpsFetchLinkedApps", "a stage that knows no applications to wait for"),
            Step("GitOpsSync", "a release whose agents never become healthy"),
        ),
        (
            Step("RevertPR", "a broken release that the next sync brings back"),
            merge,
            Step("GitOpsSync", "a broken release that stays"),
        ),
        on_failure="StageRollback",
        environment=environment,
    )


PIPELINES: Mapping[str, tuple[Stage, ...]] = {
    "slipway": SLIPWAY,
    "slipway_gitops": (
        promotion("dev"),
        promotion("staging"),
        Stage("approve_production", "a release to production that nobody agreed to", (APPROVE,)),
        promotion("prod"),
    ),
}
"""By the pipeline's identifier."""

TRIGGERS: Mapping[str, Trigger] = {
    "pull_request": Trigger(
        "PullRequest",
        "a pull request that nothing tests, or one that publishes what nobody has merged",
        {"release": "no", "change_infrastructure": "no"},
    ),
    "main": Trigger(
        "Push",
        "a merged commit that is never released, or one that changes infrastructure without being asked to",
        {"release": "yes", "change_infrastructure": "no"},
    ),
    "nightly": Trigger(
        "Cron",
        "a vulnerability found since in code that nobody changed, or a release by night",
        {"release": "no", "change_infrastructure": "no"},
    ),
}
"""By the trigger's identifier."""
