"""Every key in .harness is one of these.

Harness ignores a key that it does not know, so a misspelt `condition` runs the stage always. Its own schema leaves most
objects open, has no services or environments, and is not always at hand. A key that Harness knows and this list does
not is added here first.
"""

import difflib
from collections.abc import Iterator

from scripts.harness.folder import Entity
from scripts.harness.problems import HarnessProblem, walk

KNOWN = frozenset(
    """
    action actions advanced allowSimultaneousDeployments applicationRegex applyOnly applyOutOfSyncOnly approvalMessage
    approverInputs approvers arch artifacts assertion attestation autoAbortPreviousExecutions autoApprove
    autoCreateNamespace basePath branch build caching chartName chartVersion ci cloneCodebase codebase command
    commandFlags commandType commitId condition config connector connectorRef count deleteSourceBranch deployToAll
    deploymentTag deploymentType description detection disallowPipelineExecutor dryRun duration
    enableDeclarativeRollback enabled envVariables environment environmentRef errors execution expression
    failOnTimeout fail_on_severity failureStrategies flag forceApply format gitFetchType gitOpsClusters gitOpsEnabled
    headerConditions headers helmVersion identifier image imagePath includePipelineExecutionHistory
    infrastructureDefinitions inputSetReferences inputSetRefs instanceSelection key level log manifest
    manifestConfigurations manifests matrix method minimumCount mode monitoredService name namespace number onFailure
    onRetryFailure onTimeout operator orgIdentifier os outputVariables parallel password paths payloadConditions
    pipeline pipelineIdentifier pipelineStatus platform prTitle primary primaryArtifactRef primaryManifestRef privateKey
    private_key projectIdentifier properties prune prunePropagationPolicy pruneResourcesAtLast pruningEnabled public_key
    releaseName replaceResources repoName requestBody retryCount retryIntervals rollbackSteps runtime sensitivity
    service serviceDefinition serviceRef shell signing skipDryRun skipResourceVersioning skipSchemaValidation source
    sources spec stage stages stagesToExecute step steps store strategy syncOptions tag tags target template
    templateInputs templateRef timeout tool type upload uploadSignature url userGroups value variables verifySign
    versionLabel waitTillHealthy when workspace
    """.split()  # noqa: SIM905 (a hundred and sixty words are read more easily as a text)
)
OF_OUR_OWN = frozenset(["envVariables", "matrix", "tags"])
"""Keys whose own keys are names that we choose."""


def problems(entity: Entity) -> Iterator[HarnessProblem]:
    """Keys that are not known."""
    for path, _ in walk(entity.body):
        key = path[-1] if path else ""
        if isinstance(key, str) and path and key not in KNOWN and OF_OUR_OWN.isdisjoint(path[:-1]):
            near = difflib.get_close_matches(key, KNOWN, 1)
            meant = f"did you mean {near[0]!r}?" if near else "add it to scripts/harness/keys.py if Harness has it"
            yield HarnessProblem(entity.file, (entity.kind, *path), f"unknown key {key!r}; {meant}")
