"""Steps that the operator's tests share: an index and an agent that serve, and their revisions."""

from tests.support.operator_manifests import agent, documents, index
from tests.support.operator_world import World
from tests.support.waiting import until_async


async def ready(world: World, namespace: str) -> None:
    """An index and an agent that serve."""
    for manifest in (documents(namespace), index(namespace), agent(namespace)):
        await world.apply(manifest)
    await world.until_condition("VectorIndex", namespace, "handbook")
    await world.until_condition("Agent", namespace, "support")


async def revisions(world: World, namespace: str) -> dict[str, str]:
    """State by revision, as gateways read it."""
    status = (await world.get("Agent", namespace, "support")).get("status", {})
    return {each["name"]: each["state"] for each in status.get("revisions") or []}


async def until_states(world: World, namespace: str, *states: str) -> dict[str, str]:
    found: dict[str, str] = {}

    async def so() -> bool:
        nonlocal found
        found = await revisions(world, namespace)
        return sorted(found.values()) == sorted(states)

    await until_async(so, f"revisions are {states}")
    return found
