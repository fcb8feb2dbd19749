"""Whether the plugins that a plugin needs are there: pure, for the operator, the local driver and validation alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement

from slipway_crds.plugins.metadata import InvalidMetadata, PluginMetadata, object_name, requirement, version_of

MISSING = "WaitingForPlugin"
CONFLICT = "DependencyConflict"
CYCLE = "CyclicDependencies"
INVALID = "InvalidMetadata"


@dataclass(frozen=True)
class DependencyProblem:
    """What keeps a plugin from being used. `waiting`: applying something else resolves it."""

    reason: str
    message: str
    waiting: bool = False


def dependency_problems(name: str, plugins: Mapping[str, PluginMetadata | None]) -> tuple[DependencyProblem, ...]:
    """What is wrong with the dependencies of a Plugin.

    Args:
        name: of the Plugin object.
        plugins: all Plugins of its namespace by the names of the objects, with what is known of each.
    """
    own = plugins.get(name)
    if own is None:
        return ()
    try:
        version_of(own)
        needed = [requirement(each) for each in own.dependencies]
    except InvalidMetadata as error:
        return (DependencyProblem(INVALID, str(error)),)
    found = [problem for each in needed if (problem := _unmet(each, plugins)) is not None]
    if way := _cycle(name, plugins):
        found.append(
            DependencyProblem(CYCLE, f"{' needs '.join(way)}, without an end: remove a dependency of one of them")
        )
    return tuple(found)


def dependencies_of(metadata: PluginMetadata | None) -> Iterator[str]:
    """Names of the Plugin objects that a plugin needs. Dependencies that cannot be read are left out."""
    for each in metadata.dependencies if metadata else ():
        try:
            yield object_name(requirement(each))
        except InvalidMetadata:
            continue


def _unmet(needed: Requirement, plugins: Mapping[str, PluginMetadata | None]) -> DependencyProblem | None:
    name, wanted = object_name(needed), str(needed.specifier)
    if name not in plugins:
        return DependencyProblem(
            MISSING, f"it needs the Plugin {name} {wanted}".rstrip() + ": apply it, or correct the name", waiting=True
        )
    if not wanted:
        return None
    other = plugins[name]
    if other is None:
        return DependencyProblem(
            MISSING, f"it needs the Plugin {name} {wanted}, which has not said its version", waiting=True
        )
    try:
        version = version_of(other)
    except InvalidMetadata as error:
        return DependencyProblem(CONFLICT, f"it needs the Plugin {name} {wanted}, of which {error}")
    if needed.specifier.contains(version, prereleases=True):
        return None
    return DependencyProblem(
        CONFLICT,
        f"it needs the Plugin {name} {wanted}, which has version {version}: use another version of one of the two",
    )


def _cycle(start: str, plugins: Mapping[str, PluginMetadata | None]) -> list[str]:
    """The way by which a plugin needs itself, from it and back to it; empty if there is none."""
    came_from: dict[str, str] = {}
    to_visit = [start]
    while to_visit:
        current = to_visit.pop()
        for name in dependencies_of(plugins.get(current)):
            if name in came_from:
                continue
            came_from[name] = current
            if name == start:
                way = [start]
                while (before := came_from[way[-1]]) != start:
                    way.append(before)
                return [start, *way[::-1]]
            to_visit.append(name)
    return []
