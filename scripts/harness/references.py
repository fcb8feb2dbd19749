"""Identifiers, make targets and file paths that exist, and rules that Harness has and its schema does not."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.problems import Path as Keys
from scripts.harness.problems import Problem
from scripts.harness.schema import wrapped
from scripts.harness.templates import keyed

ACCOUNT_KEYS = {
    "connectorRef": "connectors",
    "connector": "connectors",
    "workspace": "workspaces",
    "userGroups": "userGroups",
    "private_key": "secrets",
    "privateKey": "secrets",
    "password": "secrets",
    "public_key": "secrets",
}
ENTITY_KEYS = {"serviceRef": "service", "environmentRef": "environment", "pipelineIdentifier": "pipeline"}
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
SHOW_ONLY = re.compile(r"--show-only (\S+)")
CHART_NAME = "slipway"
CHART = f"charts/{CHART_NAME}"


def _choice(value: str, known: list[str], what: str, where: str) -> str:
    return f"no {what} {value!r}; there are: {', '.join(known) or 'none'} ({where})"


def entity_problems(folder: Folder, file: str, node: Json, path: Keys) -> Iterator[Problem]:
    """Names in any entity that nothing in the folder and nothing in account.yaml has. `<+...>` is checked elsewhere."""
    for where, key, value in keyed(node, path):
        for variable in _list(value) if key == "variables" else []:
            yield from _secret_problems(folder, file, where, variable)
        values = value if isinstance(value, list) else [value]
        for name in (name for name in values if isinstance(name, str) and not name.startswith("<+")):
            sort, kind = ACCOUNT_KEYS.get(key), ENTITY_KEYS.get(key)
            if sort and name not in folder.account.get(sort, {}):
                message = _choice(name, sorted(folder.account.get(sort, {})), sort.removesuffix("s"), "account.yaml")
                yield Problem(file, where, message)
            if kind and folder.find(kind, name) is None:
                yield Problem(file, where, _choice(name, folder.names(kind), kind, "this folder"))
            known = _input_sets(folder, key)
            if known is not None and name not in known:
                yield Problem(file, where, _choice(name, known, "input set", "this folder"))


def _secret_problems(folder: Folder, file: str, path: Keys, variable: Mapping[str, Json]) -> Iterator[Problem]:
    """A variable of the type Secret, whose value is the name of one."""
    name, known = str(variable.get("value")), sorted(folder.account.get("secrets", {}))
    if variable.get("type") == "Secret" and name not in known and not name.startswith("<+"):
        yield Problem(file, (*path, str(variable.get("name")), "value"), _choice(name, known, "secret", "account.yaml"))


def _input_sets(folder: Folder, key: str) -> list[str] | None:
    """What a key may name: an overlay joins input sets, and a trigger runs with those and with overlays."""
    sets = {"inputSetReferences": ("inputSet",), "inputSetRefs": ("inputSet", "overlayInputSet")}.get(key)
    return [name for kind in sets for name in folder.names(kind)] if sets else None


def pipeline_problems(folder: Folder, file: str, pipeline: Json) -> Iterator[Problem]:
    """What an expanded pipeline's stages and steps name, and what they must have."""
    seen: set[str] = set()
    for path, kind, node in wrapped(pipeline, ("pipeline",)):
        if kind == "stage":
            if node.get("identifier") in seen:
                yield Problem(file, (*path, "identifier"), f"{node.get('identifier')!r} is there twice; rename one")
            seen.add(str(node.get("identifier")))
            yield from _stage_problems(folder, file, path, node)
        else:
            yield from _step_problems(folder, file, path, node)


def step_problems(entity: Entity) -> Iterator[Problem]:
    """Steps of one identifier in a stage, as it is written: putting templates in would keep one of them."""
    stages = [(path, node) for path, kind, node in wrapped(entity.body, (entity.kind,)) if kind == "stage"]
    for path, stage in [*stages, ((entity.kind,), entity.body if entity.kind == "template" else {})]:
        names = [str(step.get("identifier")) for _, kind, step in wrapped(stage) if kind == "step"]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem(entity.file, path, f"the step {name!r} is there twice in this stage; rename one")


def _stage_problems(folder: Folder, file: str, path: Keys, stage: Mapping[str, Json]) -> Iterator[Problem]:
    spec = stage.get("spec") or {}
    if stage.get("type") != "Deployment":
        return
    environment = spec.get("environment") or {}
    for place, target in enumerate(_list(environment.get("infrastructureDefinitions"))):
        found = folder.find("infrastructureDefinition", str(target.get("identifier")))
        if found is None or found.body.get("environmentRef") != environment.get("environmentRef"):
            known = [
                entity.identifier
                for entity in folder.of("infrastructureDefinition")
                if entity.body.get("environmentRef") == environment.get("environmentRef")
            ]
            environment_file = f"the environment {environment.get('environmentRef')!r}"
            where = (*path, "spec", "environment", "infrastructureDefinitions", place)
            yield Problem(
                file, where, _choice(str(target.get("identifier")), known, "infrastructure", environment_file)
            )
    for place, target in enumerate(_list(environment.get("gitOpsClusters"))):
        known = sorted(folder.account.get("gitopsClusters", {}))
        if target.get("identifier") not in known:
            message = _choice(str(target.get("identifier")), known, "GitOps cluster", "account.yaml")
            yield Problem(file, (*path, "spec", "environment", "gitOpsClusters", place), message)
    yield from _deployment_types(folder, file, path, spec)


def _list(value: Json) -> list[Mapping[str, Json]]:
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _deployment_types(folder: Folder, file: str, path: Keys, spec: Mapping[str, Json]) -> Iterator[Problem]:
    service = folder.find("service", str((spec.get("service") or {}).get("serviceRef")))
    if service is None:
        return
    kind = service.body.get("serviceDefinition", {}).get("type")
    if kind != spec.get("deploymentType"):
        message = f"the service {service.identifier!r} is of the type {kind!r}; write that"
        yield Problem(file, (*path, "spec", "deploymentType"), message)
    if bool(service.body.get("gitOpsEnabled")) != bool(spec.get("gitOpsEnabled")):
        message = f"the service {service.identifier!r} says gitOpsEnabled: {service.body.get('gitOpsEnabled')}"
        yield Problem(file, (*path, "spec", "gitOpsEnabled"), f"{message}; they must agree")


def _step_problems(folder: Folder, file: str, path: Keys, step: Mapping[str, Json]) -> Iterator[Problem]:
    spec = step.get("spec") or {}
    if step.get("type") == "Run":
        yield from _command_problems(folder.root / "Makefile", file, (*path, "spec", "command"), spec.get("command"))


def _command_problems(makefile: Path, file: str, path: Keys, command: Json) -> Iterator[Problem]:
    targets = TARGET.findall(makefile.read_text(encoding="utf-8"))
    for line in str(command).splitlines():
        words = line.split()
        if words[:1] != ["make"] or len(words) < 2:
            message = f"{line!r} is no make target; put it into the Makefile, so that it can be run elsewhere too"
            yield Problem(file, path, message)
        elif words[1] not in targets:
            yield Problem(file, path, f"the Makefile has no target {words[1]!r}; correct it or add the target")


def source_files(folder: Folder, service: Entity) -> Iterator[tuple[Keys, str]]:
    """The paths in this repository that a service's manifests name, once for each environment where they differ."""
    manifests = service.body.get("serviceDefinition", {}).get("spec", {}).get("manifests", [])
    base: Keys = ("service", "serviceDefinition", "spec", "manifests")
    for place, entry in enumerate(manifests):
        store = entry.get("manifest", {}).get("spec", {}).get("store", {})
        for path in store.get("spec", {}).get("paths", []):
            for environment in folder.names("environment") if "<+env.identifier>" in path else [""]:
                where = (*base, place, "manifest", "spec", "store", "spec", "paths")
                yield where, path.replace("<+env.identifier>", environment)


def service_problems(service: Entity) -> Iterator[Problem]:
    """A service's primary artifact and manifest that are none of its own, and a chart that is not ours."""
    spec = service.body.get("serviceDefinition", {}).get("spec", {})
    base: Keys = ("service", "serviceDefinition", "spec")
    manifests = [entry.get("manifest", {}) for entry in _list(spec.get("manifests"))]
    primary = (spec.get("artifacts") or {}).get("primary") or {}
    configured = spec.get("manifestConfigurations") or {}
    named = [
        ("primaryArtifactRef", primary, _list(primary.get("sources")), "artifact"),
        ("primaryManifestRef", configured, manifests, "manifest"),
    ]
    for key, holder, there, what in named:
        known = [str(part.get("identifier")) for part in there]
        if key in holder and holder[key] not in known:
            yield Problem(service.file, (*base, key), _choice(str(holder[key]), known, what, "this service"))
    for place, manifest in enumerate(manifests):
        chart = (manifest.get("spec") or {}).get("chartName", CHART_NAME)
        if chart != CHART_NAME:
            where = (*base, "manifests", place, "manifest", "spec", "chartName")
            yield Problem(service.file, where, _choice(str(chart), [CHART_NAME], "chart", "this repository"))


def shared_problems(folder: Folder) -> Iterator[Problem]:
    """Entities of another organisation, project or repository than most: names do not reach from one to another."""
    for key in ("orgIdentifier", "projectIdentifier", "repoName"):
        found = [
            (entity.file, where, str(value))
            for entity in folder.entities
            for where, other, value in keyed(entity.body, (entity.kind,))
            if other == key
        ]
        usual = Counter(value for _, _, value in found).most_common(1)
        for file, where, value in found:
            if value != usual[0][0]:
                yield Problem(file, where, f"{value!r} is not what the other files say; write {usual[0][0]!r}")


def file_problems(folder: Folder) -> Iterator[Problem]:
    """Files and templates of the chart that are named and not there."""
    for service in folder.of("service"):
        yield from service_problems(service)
        for where, path in source_files(folder, service):
            if not (folder.root / path).exists():
                yield Problem(service.file, where, f"there is no file {path!r}; correct the path")
        for where, key, value in keyed(service.body, ("service",)):
            for template in SHOW_ONLY.findall(str(value)) if key == "flag" else []:
                if not (folder.root / CHART / template).exists():
                    yield Problem(service.file, where, f"the chart has no {template!r}; see {CHART}/templates")
    for name, workspace in folder.account.get("workspaces", {}).items():
        for key in workspace.keys() & {"folder", "variables"}:
            path = str(workspace[key])
            if not (folder.root / path).exists():
                message = f"there is no {path!r}; correct the path"
                yield Problem(f"{folder.name}/account.yaml", ("workspaces", name, key), message)


def trigger_problems(folder: Folder, pipelines: Mapping[str, Json]) -> Iterator[Problem]:
    """Stages that a trigger runs alone and that its pipeline lacks.

    Args:
        folder: for the triggers.
        pipelines: the expanded pipelines by identifier.
    """
    for trigger in folder.of("trigger"):
        pipeline = pipelines.get(str(trigger.body.get("pipelineIdentifier")), {})
        known = sorted(str(node.get("identifier")) for _, kind, node in wrapped(pipeline) if kind == "stage")
        for stage in trigger.body.get("stagesToExecute") or []:
            if stage not in known:
                message = _choice(str(stage), known, "stage", "the pipeline")
                yield Problem(trigger.file, ("trigger", "stagesToExecute"), message)


def override_problems(folder: Folder) -> Iterator[Problem]:
    """Overrides of variables that no service has, which Harness would keep silently."""
    for override in folder.of("overrides"):
        services = [folder.find("service", override.body["serviceRef"])] if "serviceRef" in override.body else None
        known = {name for service in (services or folder.of("service")) if service for name in variables(service)}
        for variable in override.body.get("spec", {}).get("variables", []):
            if variable.get("name") not in known:
                message = _choice(str(variable.get("name")), sorted(known), "variable", "the services' files")
                yield Problem(override.file, ("overrides", "spec", "variables"), message)


def variables(entity: Entity) -> frozenset[str]:
    """Names of the variables of a service or an environment."""
    holder = entity.body.get("serviceDefinition", {}).get("spec", {}) if entity.kind == "service" else entity.body
    return frozenset(str(variable.get("name")) for variable in holder.get("variables", []))
