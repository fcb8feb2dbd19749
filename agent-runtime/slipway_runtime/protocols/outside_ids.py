"""Names that clients choose in other protocols, as Slipway's own ids: those of two callers never meet."""

import hashlib

import orjson


def own_id(*, owner: str, agent: str, skin: str, outside: str, kind: str) -> str:
    """The id under which an outside name is kept.

    Args:
        owner: of the caller who chose the name.
        agent: `namespace/name`.
        skin: the protocol.
        outside: the name, such as an AG-UI thread.
        kind: what it names, such as `session`.
    """
    return hashlib.sha256(orjson.dumps([kind, owner, agent, skin, outside])).hexdigest()[:32]
