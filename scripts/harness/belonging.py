"""What belongs to one environment is used in that environment only: clusters, workspaces, secrets.

A stage of dev that names production's workspace is no dangling reference, so nothing else here would notice it. Which
environment a thing belongs to is said in account.yaml.
"""

from collections.abc import Iterator, Mapping

from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.listings import environment
from scripts.harness.problems import Path, Problem
from scripts.harness.schema import wrapped


def account_problems(folder: Folder) -> Iterator[Problem]:
    """Entries of account.yaml that belong to no environment there is, and workspaces with another one's variables."""
    file = f"{folder.name}/account.yaml"
    known = folder.names("environment")
    for sort, held in folder.account.items():
        for name, entry in held.items():
            owner = environment(entry)
            if owner is not None and owner not in known:
                message = f"no environment {owner!r}; there are: {', '.join(known)} (this folder)"
                yield Problem(file, (sort, name, "environment"), message)
            elif owner is not None and sort == "workspaces":
                variables = str(entry.get("variables"))
                if f"/envs/{owner}/" not in variables:
                    message = f"{variables!r} is not in terraform/envs/{owner}; name that environment's variables"
                    yield Problem(file, (sort, name, "variables"), message)


def entity_problems(folder: Folder, entity: Entity) -> Iterator[Problem]:
    """An infrastructure's cluster, and the secrets that an environment or its overrides hold."""
    if entity.kind == "infrastructureDefinition":
        connector = entity.body.get("spec", {}).get("connectorRef")
        yield from _foreign(
            folder,
            "connectors",
            connector,
            str(entity.body.get("environmentRef")),
            (entity.file, (entity.kind, "spec", "connectorRef")),
        )
    if entity.kind in ("environment", "overrides"):
        owner = str(entity.body.get("environmentRef", entity.identifier))
        holder = entity.body if entity.kind == "environment" else entity.body.get("spec", {})
        for variable in holder.get("variables", []):
            if variable.get("type") == "Secret":
                place = (entity.kind, "variables", str(variable.get("name")), "value")
                yield from _foreign(folder, "secrets", variable.get("value"), owner, (entity.file, place))


def pipeline_problems(folder: Folder, file: str, pipeline: Json) -> Iterator[Problem]:
    """Clusters and workspaces of another environment in the stages of an expanded pipeline."""
    stages = [(path, node) for path, kind, node in wrapped(pipeline, ("pipeline",)) if kind == "stage"]
    for place, (path, stage) in enumerate(stages):
        spec = stage.get("spec") or {}
        target = spec.get("environment") or {}
        clusters = target.get("gitOpsClusters")
        for number, cluster in enumerate(clusters if isinstance(clusters, list) else []):
            where = (*path, "spec", "environment", "gitOpsClusters", number)
            owner = str(target.get("environmentRef"))
            yield from _foreign(folder, "gitopsClusters", cluster.get("identifier"), owner, (file, where))
        if stage.get("type") == "IACM":
            where = (*path, "spec", "workspace")
            served = next(filter(None, (_deployed_to(later) for _, later in stages[place + 1 :])), None)
            if served is None:
                message = "no stage behind this one deploys; put it before those of its environment"
                yield Problem(file, where, message)
            else:
                yield from _foreign(folder, "workspaces", spec.get("workspace"), served, (file, where))


def _deployed_to(stage: Mapping[str, Json]) -> str | None:
    """The environment of a Deployment stage. A stage of Terraform has none of its own and serves the next one's."""
    if stage.get("type") != "Deployment":
        return None
    return str(((stage.get("spec") or {}).get("environment") or {}).get("environmentRef"))


def _foreign(folder: Folder, sort: str, name: Json, owner: str, place: tuple[str, Path]) -> Iterator[Problem]:
    """A listed thing that belongs to another environment than it is used in, or to none."""
    held = folder.account.get(sort, {})
    if name not in held:
        return  # `references` says so
    belongs = environment(held[name])
    if belongs != owner:
        ours = ", ".join(sorted(other for other, entry in held.items() if environment(entry) == owner)) or "none"
        whose = f"belongs to {belongs!r}" if belongs else "belongs to no environment"
        message = f"{name!r} {whose} and is used in {owner!r}; there: {ours} (account.yaml)"
        yield Problem(*place, message)
