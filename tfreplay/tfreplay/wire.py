"""The messages of Terraform's plugin protocol 6 that a replay needs, with their field numbers.

Source: hashicorp/terraform docs/plugin-protocol/tfplugin6.8.proto. On the wire a message has no name and a field only
its number, so a part of the definition is enough, and it needs no protobuf compiler.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "enum": _Field.TYPE_INT32,  # an enumeration and an integer are the same on the wire
}

# name: (number, type); a type with [] is repeated, one that is not in _TYPES is a message.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Value": {"msgpack": (1, "bytes"), "json": (2, "bytes")},
    "RawState": {"json": (1, "bytes")},
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
        "sensitive": (7, "bool"),
        "nested_type": (10, "Object"),
        "write_only": (11, "bool"),
    },
    "Object": {"attributes": (1, "Attribute[]"), "nesting": (3, "enum")},
    "Block": {"version": (1, "int64"), "attributes": (2, "Attribute[]"), "block_types": (3, "NestedBlock[]")},
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "enum"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    # A protobuf map is a list of key and value.
    "NamedSchema": {"key": (1, "string"), "value": (2, "Schema")},
    "Capabilities": {"plan_destroy": (1, "bool")},
    "GetProviderSchema": {
        "provider": (1, "Schema"),
        "resource_schemas": (2, "NamedSchema[]"),
        "data_source_schemas": (3, "NamedSchema[]"),
        "server_capabilities": (6, "Capabilities"),
    },
    "ValidateRequest": {"type_name": (1, "string"), "config": (2, "Value")},
    "ValidateResponse": {"diagnostics": (1, "Diagnostic[]")},
    "Diagnostic": {"severity": (1, "enum"), "summary": (2, "string"), "detail": (3, "string"), "path": (4, "Path")},
    "Path": {"steps": (1, "Step[]")},
    "Step": {"attribute_name": (1, "string")},
    "UpgradeRequest": {"type_name": (1, "string"), "version": (2, "int64"), "raw_state": (3, "RawState")},
    "UpgradeResponse": {"upgraded_state": (1, "Value")},
    "ReadRequest": {"type_name": (1, "string"), "current_state": (2, "Value")},
    "ReadResponse": {"new_state": (1, "Value")},
    "PlanRequest": {"type_name": (1, "string"), "prior_state": (2, "Value"), "proposed_new_state": (3, "Value")},
    "PlanResponse": {"planned_state": (1, "Value"), "legacy_type_system": (5, "bool")},
    "ApplyRequest": {"type_name": (1, "string"), "prior_state": (2, "Value"), "planned_state": (3, "Value")},
    "ApplyResponse": {"new_state": (1, "Value"), "legacy_type_system": (4, "bool")},
    "DataRequest": {"type_name": (1, "string"), "config": (2, "Value")},
    "DataResponse": {"state": (1, "Value")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tfreplay.proto", package="tfreplay", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add(message, field, number, kind)
    return file


def _add(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if kind.endswith("[]") else _Field.LABEL_OPTIONAL
    kind = kind.removesuffix("[]")
    if kind in MESSAGES:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".tfreplay.{kind}"
    else:
        field.type = _TYPES[kind]


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
_CLASSES = {name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tfreplay.{name}")) for name in MESSAGES}


def message(name: str, /, **fields: Any) -> Any:
    """A new message of that name; its fields are those in MESSAGES."""
    return _CLASSES[name](**fields)


def parsed(name: str, data: bytes) -> Any:
    """The message of that name in `data`."""
    return _CLASSES[name].FromString(data)
