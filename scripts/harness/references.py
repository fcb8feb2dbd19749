"""Identifiers, make targets and file paths that exist, and rules that Harness has and its schema does not."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.problems import HarnessProblem
from scripts.harness.problems import Path as Keys
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
ENTITY_KEYS = {
    "serviceRef": ("service",),
    "environmentRef": ("environment",),
    "pipelineIdentifier": ("pipeline",),
    "inputSetReferences": ("inputSet",),  # of an overlay
    "inputSetRefs": ("inputSet", "overlayInputSet"),  # of a trigger
}
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
SHOW_ONLY = re.compile(r"--show-only (\S+)")
CHART = "charts/slipway"


def _choice(value: str, known: list[str], what: str, where: str) -> str:
    return f"no {what} {value!r}; there are: {', '.join(known) or 'none'} ({where})"


def entity_problems(folder: Folder, file: str, node: Json, path: Keys) -> Iterator[HarnessProblem]:
    """Names in any entity that nothing in the folder and nothing in account.yaml has. `<+...>` is checked elsewhere."""
    for where, key, value in keyed(node, path):
        sort, kinds = ACCOUNT_KEYS.get(key), ENTITY_KEYS.get(key)
        names = value if isinstance(value, list) else [value]
        if key == "variables":
            sort, names = "secrets", [each.get("value") for each in _list(value) if each.get("type") == "Secret"]
        for name in (name for name in names if isinstance(name, str) and not name.startswith("<+")):
            if sort and name not in folder.account.get(sort, {}):
                message = _choice(name, sorted(folder.account.get(sort, {})), sort.removesuffix("s"), "account.yaml")
                yield HarnessProblem(file, where, message)
            known = [known for kind in kinds or () for known in folder.names(kind)]
            if kinds and name not in known:
                yield HarnessProblem(file, where, _choice(name, known, kinds[0], "this folder"))


def pipeline_problems(folder: Folder, file: str, pipeline: Json) -> Iterator[HarnessProblem]:
    """What an expanded pipeline's stages and steps name, and what they must have."""
    for path, kind, node in wrapped(pipeline, ("pipeline",)):
        if kind == "stage":
            yield from _stage_problems(folder, file, path, node)
        elif node.get("type") == "Run":
            command = (node.get("spec") or {}).get("command")
            yield from _command_problems(folder.root / "Makefile", file, (*path, "spec", "command"), command)


def _stage_problems(folder: Folder, file: str, path: Keys, stage: Mapping[str, Json]) -> Iterator[HarnessProblem]:
    spec = stage.get("spec") or {}
    if stage.get("type") != "Deployment":
        return
    environment = spec.get("environment") or {}
    name = environment.get("environmentRef")
    infrastructures = folder.of("infrastructureDefinition")
    ours = [entity.identifier for entity in infrastructures if entity.body.get("environmentRef") == name]
    clusters = sorted(folder.account.get("gitopsClusters", {}))
    for key, known, what, where in (
        ("infrastructureDefinitions", ours, "infrastructure", f"the environment {name!r}"),
        ("gitOpsClusters", clusters, "GitOps cluster", "account.yaml"),
    ):
        for place, target in enumerate(_list(environment.get(key))):
            if target.get("identifier") not in known:
                message = _choice(str(target.get("identifier")), known, what, where)
                yield HarnessProblem(file, (*path, "spec", "environment", key, place), message)


def _list(value: Json) -> list[Mapping[str, Json]]:
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _command_problems(makefile: Path, file: str, path: Keys, command: Json) -> Iterator[HarnessProblem]:
    targets = TARGET.findall(makefile.read_text(encoding="utf-8"))
    for line in str(command).splitlines():
        words = line.split()
        if words[:1] != ["make"] or len(words) < 2:
            message = f"{line!r} is no make target; put it into the Makefile, so that it can be run elsewhere too"
            yield HarnessProblem(file, path, message)
        elif words[1] not in targets:
            yield HarnessProblem(file, path, f"the Makefile has no target {words[1]!r}; correct it or add the target")


def source_files(folder: Folder, service: Entity) -> Iterator[tuple[Keys, str]]:
    """The paths in this repository that a service's manifests name, once for each environment where they differ."""
    for where, key, value in keyed(service.body, ("service",)):
        for path in value if key == "paths" else []:
            for environment in folder.names("environment") if "<+env.identifier>" in path else [""]:
                yield where, path.replace("<+env.identifier>", environment)


def service_problems(service: Entity) -> Iterator[HarnessProblem]:
    """A service's primary artifact and manifest that are none of its own."""
    spec = service.body.get("serviceDefinition", {}).get("spec", {})
    base: Keys = ("service", "serviceDefinition", "spec")
    manifests = [entry.get("manifest", {}) for entry in _list(spec.get("manifests"))]
    primary = (spec.get("artifacts") or {}).get("primary") or {}
    configured = spec.get("manifestConfigurations") or {}
    for key, holder, there, what in (
        ("primaryArtifactRef", primary, _list(primary.get("sources")), "artifact"),
        ("primaryManifestRef", configured, manifests, "manifest"),
    ):
        known = [str(part.get("identifier")) for part in there]
        if key in holder and holder[key] not in known:
            yield HarnessProblem(service.file, (*base, key), _choice(str(holder[key]), known, what, "this service"))


def file_problems(folder: Folder) -> Iterator[HarnessProblem]:
    """Files and templates of the chart that are named and not there."""
    for service in folder.of("service"):
        yield from service_problems(service)
        for where, path in source_files(folder, service):
            if not (folder.root / path).exists():
                yield HarnessProblem(service.file, where, f"there is no file {path!r}; correct the path")
        for where, key, value in keyed(service.body, ("service",)):
            for template in SHOW_ONLY.findall(str(value)) if key == "flag" else []:
                if not (folder.root / CHART / template).exists():
                    yield HarnessProblem(service.file, where, f"the chart has no {template!r}; see {CHART}/templates")
    for name, workspace in folder.account.get("workspaces", {}).items():
        for key in workspace.keys() & {"folder", "variables"}:
            path = str(workspace[key])
            if not (folder.root / path).exists():
                message = f"there is no {path!r}; correct the path"
                yield HarnessProblem(f"{folder.name}/account.yaml", ("workspaces", name, key), message)


def trigger_problems(folder: Folder, pipelines: Mapping[str, Json]) -> Iterator[HarnessProblem]:
    """Stages that a trigger runs alone and that its pipeline lacks. `pipelines` are expanded, by identifier."""
    for trigger in folder.of("trigger"):
        pipeline = pipelines.get(str(trigger.body.get("pipelineIdentifier")), {})
        known = sorted(str(node.get("identifier")) for _, kind, node in wrapped(pipeline) if kind == "stage")
        for stage in trigger.body.get("stagesToExecute") or []:
            if stage not in known:
                message = _choice(str(stage), known, "stage", "the pipeline")
                yield HarnessProblem(trigger.file, ("trigger", "stagesToExecute"), message)


def override_problems(folder: Folder) -> Iterator[HarnessProblem]:
    """Overrides of variables that no service has, which Harness would keep silently."""
    for override in folder.of("overrides"):
        services = [folder.find("service", override.body["serviceRef"])] if "serviceRef" in override.body else None
        known = {name for service in (services or folder.of("service")) if service for name in variables(service)}
        for variable in override.body.get("spec", {}).get("variables", []):
            if variable.get("name") not in known:
                message = _choice(str(variable.get("name")), sorted(known), "variable", "the services' files")
                yield HarnessProblem(override.file, ("overrides", "spec", "variables"), message)


def variables(entity: Entity) -> frozenset[str]:
    """Names of the variables of a service or an environment."""
    holder = entity.body.get("serviceDefinition", {}).get("spec", {}) if entity.kind == "service" else entity.body
    return frozenset(str(variable.get("name")) for variable in holder.get("variables", []))
