"""From a binding to the schema that Terraform knows, in the shape of `terraform providers schema -json`."""

from typing import Any

from tfreplay.errors import ReplayError
from tfreplay.typescript import Binding, Class, SchemaMember

Json = dict[str, Any]
Type = str | list[Any]
"""A type as Terraform writes it: `"string"`, `["list", "string"]`, `["object", {"name": "string"}]`."""

_SIMPLE: dict[str, Type] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "AnyMap": ["map", "string"],
    "StringListMap": ["map", ["list", "string"]],
    "StringMapList": ["list", ["map", "string"]],
}
_WRITTEN: dict[str, Type] = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "string[]": ["list", "string"],
    "number[]": ["list", "number"],
    "{ [key: string]: string }": ["map", "string"],
}


def schema(binding: Binding, nested_attributes: bool) -> Json:
    """The schema of one resource, data source or provider configuration.

    `nested_attributes`: the provider speaks plugin protocol 6, where an attribute may have attributes of its own.
    Under protocol 5 such an attribute has an object type, and Terraform accepts block syntax for it as well.
    Raises ReplayError for a type of value that this module does not know.
    """
    block = _block(binding.main, binding.classes, nested_attributes)
    if binding.kind == "provider":
        block["attributes"].pop("alias", None)  # Terraform's own
    return {"version": 0, "block": block}


def _block(owner: Class, classes: dict[str, Class], nested_attributes: bool) -> Json:
    attributes: Json = {}
    blocks: Json = {}
    for member in owner.members:
        if member.is_block and _struct(member, classes):
            blocks[member.name] = _nested_block(member, classes, nested_attributes)
        else:
            attributes[member.name] = _flags(member) | _value(member, classes, nested_attributes)
    return {"attributes": attributes, "block_types": blocks}


def _flags(member: SchemaMember) -> Json:
    flags = {key: True for key in ("required", "optional", "computed") if getattr(member, key)}
    # The bindings do not carry this flag; providers name such attributes alike.
    return flags | ({"write_only": True} if member.name.endswith("_wo") and not member.computed else {})


def _value(member: SchemaMember, classes: dict[str, Class], nested_attributes: bool) -> Json:
    found = _struct(member, classes)
    if not found:
        return {"type": _simple(member)}
    struct, nesting = found
    if nested_attributes:
        nested = _block(struct, classes, nested_attributes)["attributes"]
        return {"nested_type": {"attributes": nested, "nesting_mode": nesting}}
    return {"type": _object(struct, nesting, classes)}


def _simple(member: SchemaMember) -> Type:
    if member.holder and not member.holder.startswith("cdktf."):
        return "dynamic"  # a list of lists of structs: one data source has it
    name = member.getter or member.holder.removeprefix("cdktf.")
    if name and name not in _SIMPLE:
        raise ReplayError(f"{member.name} holds a {name}, a type that tfreplay/schema.py has to learn")
    # Lists of lists and the like, a dozen in all, have no getter: any value goes for them.
    kind = _SIMPLE[name] if name else _WRITTEN.get(_plain(member.written), "dynamic")
    return ["set", kind[1]] if member.is_set and isinstance(kind, list) and kind[0] == "list" else kind


def _plain(written: str) -> str:
    return written.removesuffix(" | cdktf.IResolvable")


def _object(struct: Class, nesting: str, classes: dict[str, Class]) -> Type:
    fields = {each.name: _value(each, classes, nested_attributes=False)["type"] for each in struct.members}
    return ["object", fields] if nesting == "single" else [nesting, ["object", fields]]


def _nested_block(member: SchemaMember, classes: dict[str, Class], nested_attributes: bool) -> Json:
    found = _struct(member, classes)
    assert found  # the caller looked
    struct, nesting = found
    block: Json = {"nesting_mode": nesting, "block": _block(struct, classes, nested_attributes)}
    if nesting == "single":
        return block
    if member.required:
        block["min_items"] = 1
    if struct.index_in_list and member.holder == struct.name:
        block["max_items"] = 1
    return block


def _struct(member: SchemaMember, classes: dict[str, Class]) -> tuple[Class, str] | None:
    """The class of one element, and how elements are nested (single, list, set or map); None for a simple value."""
    if not member.holder:
        written = _plain(member.written)
        struct = classes.get(written.removesuffix("[]"))
        # Whether `exec` may stand once or more often is not written down; a list accepts both.
        return (struct, "list" if member.is_block or written.endswith("[]") else "single") if struct else None
    holder = classes.get(member.holder)
    if holder is None or holder.base == "MapList":
        return None
    if holder.base == "ComplexObject":
        return holder, ("set" if holder.in_set else "list") if holder.index_in_list else "single"
    kind = "map" if holder.base == "ComplexMap" else "set" if member.is_set else "list"
    return classes[holder.element], kind
