"""A provider that knows its schema and nothing else, over Terraform's plugin protocol 6 on a Unix socket.

Terraform asks it what exists, and it answers from the schema; asked for a plan, it leaves unknown what only the cloud
could see. It never reaches a cloud, and of a provider's own validators it has one: nobody may set what
the provider computes.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tfreplay import values
from tfreplay.wire import message, parsed

Json = dict[str, Any]

_SERVICE = "/tfplugin6.Provider/"
_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_THREADS = 4
_ERROR = 1


def schema_message(schema: Json) -> Any:
    """A schema of a dump as Terraform's `Schema` message."""
    return message("Schema", version=schema["version"], block=_block(schema["block"]))


def _block(block: Json) -> Any:
    nested = [
        message(
            "NestedBlock",
            type_name=name,
            block=_block(each["block"]),
            nesting=_NESTING[each["nesting_mode"]],
            min_items=each.get("min_items", 0),
            max_items=each.get("max_items", 0),
        )
        for name, each in block.get("block_types", {}).items()
    ]
    return message("Block", attributes=_attributes(block.get("attributes", {})), block_types=nested)


def _attributes(attributes: Json) -> list[Any]:
    return [_attribute(name, attribute) for name, attribute in attributes.items()]


def _attribute(name: str, attribute: Json) -> Any:
    flags = {key: attribute.get(key, False) for key in ("required", "optional", "computed", "sensitive", "write_only")}
    nested = attribute.get("nested_type")
    if nested:
        held = message("Object", attributes=_attributes(nested["attributes"]), nesting=_NESTING[nested["nesting_mode"]])
        return message("Attribute", name=name, nested_type=held, **flags)
    return message("Attribute", name=name, type=json.dumps(attribute["type"]).encode(), **flags)


class ProviderReplay:
    """The answers of one provider. `schemas` has `provider`, `resource_schemas` and `data_source_schemas`."""

    def __init__(self, schemas: Json) -> None:
        self._resources = schemas["resource_schemas"]
        self._data = schemas["data_source_schemas"]
        named = {
            kind: [message("NamedSchema", key=name, value=schema_message(each)) for name, each in schemas[kind].items()]
            for kind in ("resource_schemas", "data_source_schemas")
        }
        self._schema: bytes = message(
            "GetProviderSchema",
            provider=schema_message(schemas["provider"]),
            server_capabilities=message("Capabilities", plan_destroy=True),
            **named,
        ).SerializeToString()
        self._answers: dict[str, Callable[[bytes], bytes]] = {
            "GetProviderSchema": lambda _: self._schema,
            "PlanResourceChange": self._plan,
            "ApplyResourceChange": self._apply,
            "ReadResource": self._read,
            "ReadDataSource": self._read_data,
            "UpgradeResourceState": self._upgrade,
            "ValidateResourceConfig": lambda data: _validate(data, self._resources),
            "ValidateDataResourceConfig": lambda data: _validate(data, self._data),
        }

    def answer(self, method: str) -> Callable[[bytes], bytes] | None:
        """What answers the method; None for one that a replay does not have."""
        if method in self._answers:
            return self._answers[method]
        return (lambda _: b"") if method.startswith(("Validate", "Configure", "Stop")) else None

    def _plan(self, data: bytes) -> bytes:
        request = parsed("PlanRequest", data)
        proposed = values.decode(request.proposed_new_state.msgpack)
        prior = values.decode(request.prior_state.msgpack)
        result = values.planned(proposed, self._resources[request.type_name]["block"], prior)
        return _answer("PlanResponse", "planned_state", result, legacy_type_system=True)

    def _apply(self, data: bytes) -> bytes:
        request = parsed("ApplyRequest", data)
        result = values.applied(values.decode(request.planned_state.msgpack))
        return _answer("ApplyResponse", "new_state", result, legacy_type_system=True)

    def _read(self, data: bytes) -> bytes:
        return bytes(message("ReadResponse", new_state=parsed("ReadRequest", data).current_state).SerializeToString())

    def _read_data(self, data: bytes) -> bytes:
        request = parsed("DataRequest", data)
        config = values.decode(request.config.msgpack)
        return _answer("DataResponse", "state", values.answered(config, self._data[request.type_name]["block"]))

    def _upgrade(self, data: bytes) -> bytes:
        state = message("Value", json=parsed("UpgradeRequest", data).raw_state.json)
        return bytes(message("UpgradeResponse", upgraded_state=state).SerializeToString())


def _validate(data: bytes, schemas: Json) -> bytes:
    """The one thing that both of HashiCorp's provider frameworks check for every provider."""
    request = parsed("ValidateRequest", data)
    config = values.decode(request.config.msgpack)
    diagnostics = [
        message(
            "Diagnostic",
            severity=_ERROR,
            summary="Value for unconfigurable attribute",
            detail=f'Can\'t configure a value for "{".".join(path)}": the provider decides it.',
            path=message("Path", steps=[message("Step", attribute_name=path[0])]),
        )
        for path in values.unconfigurable(config, schemas[request.type_name]["block"])
    ]
    return bytes(message("ValidateResponse", diagnostics=diagnostics).SerializeToString())


def _answer(name: str, field: str, value: values.Value, **fields: Any) -> bytes:
    held = message("Value", msgpack=values.encode(value))
    return bytes(message(name, **{field: held}, **fields).SerializeToString())


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, replay: ProviderReplay) -> None:
        self._replay = replay

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if not handler_call_details.method.startswith(_SERVICE):
            return None
        answer = self._replay.answer(handler_call_details.method.removeprefix(_SERVICE))
        if answer is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda data, _: answer(data))


@contextmanager
def serving(replay: ProviderReplay, socket: Path) -> Iterator[None]:
    """Answer on the Unix socket `socket` until the block ends."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), handlers=[_Handler(replay)], options=options)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(grace=None).wait()
