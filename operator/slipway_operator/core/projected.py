"""Files of a pod that are projected from Secrets and ConfigMaps of its namespace, which the operator never reads."""

from slipway_crds.bindings import FileSource, FolderSources
from slipway_operator.core.manifests import JsonObject

OWNER_AND_GROUP = 0o440


def folder(sources: FolderSources, secret: str, bundle: str) -> list[JsonObject]:
    """Projections of a key and of a bundle of certificates, to these paths."""
    given = (("secret", sources.secret, secret), ("configMap", sources.config_map, bundle))
    return [{kind: projection(source, path)} for kind, source, path in given if source is not None]


def projection(source: FileSource, path: str) -> JsonObject:
    """One file."""
    # Optional, so that pods start and say themselves what is missing.
    return {"name": source.name, "optional": True, "items": [{"key": source.key, "path": path}]}
