"""What a plugin says of itself: in its code, or in its manifest."""

from collections.abc import Sequence
from typing import Annotated, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import Field, ValidationError

from slipway_crds.fields import ATOMIC, DEPENDENCY_PATTERN, PLUGIN_NAME_PATTERN, VERSION_PATTERN, SpecModel, same

Dependency = Annotated[str, Field(min_length=1, max_length=128, pattern=DEPENDENCY_PATTERN)]


class PluginMetadata(SpecModel):
    """What a plugin is, which version of it this is, and which other plugins it needs."""

    local = same("The same is said of the plugin.")

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=PLUGIN_NAME_PATTERN)]
    """Name of the plugin, like agent_metrics. The Plugin object may be called otherwise."""
    version: Annotated[str, Field(min_length=1, max_length=64, pattern=VERSION_PATTERN)]
    """Version, like 1.2.0."""
    description: Annotated[str, Field(max_length=512)] = ""
    """What it does, in a sentence."""
    author: Annotated[str, Field(max_length=128)] = ""
    """Who wrote it."""
    dependencies: Annotated[tuple[Dependency, ...], Field(max_length=16), ATOMIC] = ()
    """Plugins of the same namespace that it needs, by the name of the object (where `-` and `_` are the same) and a
    range of versions, like agent_metrics>=1.2,<2."""
    openapi_extensions: Annotated[dict[str, Any] | None, Field(max_length=16)] = None
    """What `/openapi.json` of the gateway says of it: keys that begin with `x-`, with any value."""


class InvalidMetadata(ValueError):
    """Metadata that the schema lets by and that means nothing; the text says what to write."""


def checked(metadata: PluginMetadata) -> PluginMetadata:
    """The same metadata.

    Raises:
        InvalidMetadata: for a version or a dependency that is none, or an extension without `x-`.
    """
    version_of(metadata)
    for each in metadata.dependencies:
        requirement(each)
    for key in metadata.openapi_extensions or {}:
        if not key.startswith("x-") or len(key) > 64:
            raise InvalidMetadata(f"openapiExtensions has the key {key[:64]}: begin it with x-, and keep it short")
    return metadata


MOST_BYTES = 16 * 1024
"""Of metadata as JSON, where a plugin's pod says it."""


def checked_or_none(value: object) -> PluginMetadata | None:
    """Metadata as somebody reports it who is not trusted; None if it is none, or too long."""
    try:
        metadata = checked(PluginMetadata.model_validate(value)) if value is not None else None
        return metadata if metadata is None or len(metadata.model_dump_json()) <= MOST_BYTES else None
    except (ValidationError, InvalidMetadata):
        return None


def version_of(metadata: PluginMetadata) -> Version:
    """The version. Raises InvalidMetadata."""
    try:
        return Version(metadata.version)
    except InvalidVersion:
        raise InvalidMetadata(f"{metadata.version} is no version: write one like 1.2.0 or 1.2.0rc1") from None


def requirement(dependency: str) -> Requirement:
    """A dependency. Raises InvalidMetadata."""
    try:
        return Requirement(dependency)
    except InvalidRequirement:
        raise InvalidMetadata(
            f"{dependency} is no dependency: write a name and a range of versions, like agent_metrics>=1.2,<2"
        ) from None


def object_name(dependency: Requirement) -> str:
    """The name of the Plugin object that a dependency means: `agent_metrics` is `agent-metrics`."""
    return canonicalize_name(dependency.name)


def combined(code: PluginMetadata | None, manifest: PluginMetadata | None) -> PluginMetadata | None:
    """What holds of a plugin whose code and whose manifest may both say something.

    The code knows what it is: its name, version and words come first. The dependencies and extensions of both count.
    """
    if code is None or manifest is None:
        return code or manifest
    extensions = {**(manifest.openapi_extensions or {}), **(code.openapi_extensions or {})}
    return code.model_copy(
        update={
            "description": code.description or manifest.description,
            "author": code.author or manifest.author,
            "dependencies": _union(code.dependencies, manifest.dependencies),
            "openapi_extensions": extensions or None,
        }
    )


def _union(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))
