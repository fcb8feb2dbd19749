"""How a look at a resource begins: whether there is something to act on."""

from typing import TypeVar

from slipway_crds.meta import CustomObject
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import Trouble, paused_status
from slipway_operator.core.executor import Executor
from slipway_operator.core.namespaces import LOGIN_ANNOTATION, LOGIN_MAX, Namespace
from slipway_operator.store.keeper import StoreKeeper

Model = TypeVar("Model", bound=CustomObject)


async def model_to_act_on(executor: Executor, resource: Resource, kind: type[Model], *, now: float) -> Model | None:
    """The resource as its model. None if it is paused or cannot be read, which its status then says.

    Raises:
        ApiError: if the status cannot be written.
    """
    if resource.paused:
        await executor.write_status(resource, paused_status(resource.status, generation=resource.generation, now=now))
        return None
    if not isinstance(resource.model, kind):
        trouble = Trouble("InvalidSpec", f"This version of Slipway cannot read the spec: {resource.error}.")
        await executor.refuse(resource, trouble, now=now)
        return None
    return resource.model


async def namespace_to_act_in(
    executor: Executor, store: StoreKeeper, resource: Resource, *, now: float
) -> Namespace | None:
    """The resource's namespace. None if it goes, or says something unreadable, which the resource's status then says.

    Raises:
        ApiError: if the namespace cannot be read or the status not written.
    """
    namespace = await store.namespace(resource.key.namespace)
    if namespace is None or namespace.deleting:
        return None
    if namespace.login is None:
        trouble = Trouble(
            "InvalidStoreLogin",
            f"The annotation {LOGIN_ANNOTATION} of namespace {namespace.name} must be a whole number from 1 to "
            f"{LOGIN_MAX}. Set it to the last number plus one. Nothing is changed until then.",
        )
        await executor.refuse(resource, trouble, now=now)
        return None
    return namespace
