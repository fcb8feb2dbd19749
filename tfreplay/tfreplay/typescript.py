"""Reads the TypeScript of one CDKTF binding: which attributes and blocks a Terraform resource has.

HashiCorp generated the bindings from `terraform providers schema -json`. Next to every attribute the generator wrote
what the schema said about it (`// name - computed: true, optional: false, required: false`), and it wrote the text
`<name> block` over everything that is a block and not an attribute. The published JavaScript carries that TypeScript
in its source map. Nothing is executed.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Literal

from tfreplay.errors import ReplayError

_SOURCE_MAP = re.compile(r"sourceMappingURL=data:application/json;base64,(\S+)")
_CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(
    r"^  // (\S+) - computed: (true|false), optional: (true|false), required: (true|false)$(.*?)(?=^  // |\Z)",
    re.MULTILINE | re.DOTALL,
)
_PROPERTY = re.compile(r"#(\w+) \w+#\w+\}\n  \*/\n  readonly \w+(\??): ([^;]+);")
_WRITTEN = re.compile(r"^  private _\w+\??: (.+); $", re.MULTILINE)
_ELEMENT = re.compile(r"public get\(\w+: \w+\): (\w+)")
_INTERFACE = re.compile(r"^export interface (\w+)[^{]*\{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_BLOCK_REMARK = re.compile(r"^  \* (\S+) block$", re.MULTILINE)
_HELD = re.compile(r' = new ([\w.]+)\(this, "[^"]+"(?:, (true|false))?\)')
_GETTER = re.compile(r"this\.get(\w+)Attribute\(")
_SUPER = re.compile(r"super\(terraformResource, terraformAttribute, (true|false)(, 0)?\)")
_RESOURCE_TYPE = re.compile(r"static readonly tfResourceType = \"(\w+)\"")

Kind = Literal["provider", "resource", "data"]
_KINDS: dict[str, Kind] = {
    "TerraformProvider": "provider",
    "TerraformResource": "resource",
    "TerraformDataSource": "data",
}


@dataclass(frozen=True)
class SchemaMember:
    """One attribute or block as the generator wrote it down."""

    name: str
    computed: bool
    optional: bool
    required: bool
    holder: str
    """The class that holds the value, such as `cdktf.StringMap` or `NetworkNodesList`; empty for a simple value."""
    getter: str
    """`String`, `Number`, `Boolean`, `List`, `StringMap`, ...; empty where there is none."""
    written: str
    """The TypeScript type, such as `string[]`: all there is in a provider's configuration."""
    is_set: bool
    is_block: bool


@dataclass(frozen=True)
class Class:
    """A class of the binding: the resource itself, one struct, or a list or map of structs."""

    name: str
    base: str
    members: tuple[SchemaMember, ...]
    index_in_list: bool
    """A struct that is the only element of a list or set (`max_items: 1`), not nested by itself."""
    in_set: bool
    element: str
    """The class of one element of a list or map of structs."""


def source(javascript: str) -> str:
    """The TypeScript inside a published JavaScript file; empty for a file without a source map."""
    found = _SOURCE_MAP.search(javascript)
    if not found:
        return ""
    texts = json.loads(base64.b64decode(found[1]))["sourcesContent"]
    return "\n".join(text for text in texts if text)


def classes(typescript: str) -> dict[str, Class]:
    """Every class of a binding by name, and every interface that only a provider's configuration uses."""
    bodies = dict(_INTERFACE.findall(typescript))
    found = {name: _class(name, base, body, bodies) for name, base, body in _CLASS.findall(typescript)}
    return {name: _struct(name, body) for name, body in bodies.items()} | found


def _class(name: str, base: str, body: str, interfaces: dict[str, str]) -> Class:
    struct = name.removesuffix("OutputReference") if base == "ComplexObject" else f"{name}Config"
    blocks = set(_BLOCK_REMARK.findall(interfaces.get(struct, "")))
    nesting = _SUPER.search(body)
    element = _ELEMENT.search(body)
    return Class(
        name=name,
        base=base,
        members=tuple(_member(found, blocks) for found in _MEMBER.findall(body)),
        index_in_list=bool(nesting and nesting[2]),
        in_set=bool(nesting and nesting[2] and nesting[1] == "true"),
        element=element[1] if element else "",
    )


def _struct(name: str, body: str) -> Class:
    blocks = set(_BLOCK_REMARK.findall(body))
    members = tuple(
        SchemaMember(each, False, bool(mark), not mark, "", "", written, is_set=False, is_block=each in blocks)
        for each, mark, written in _PROPERTY.findall(body)
    )
    return Class(name, "interface", members, index_in_list=False, in_set=False, element="")


def _member(found: tuple[str, ...], blocks: set[str]) -> SchemaMember:
    name, computed, optional, required, body = found
    held = _HELD.search(body)
    getter = _GETTER.search(body)
    written = _WRITTEN.search(body)
    return SchemaMember(
        name=name,
        computed=computed == "true",
        optional=optional == "true",
        required=required == "true",
        holder=held[1] if held else "",
        getter=getter[1] if getter else "",
        written=written[1] if written else "",
        is_set=bool((held and held[2] == "true") or "cdktf.Fn.tolist(" in body),
        is_block=name in blocks,
    )


@dataclass(frozen=True)
class Binding:
    """One folder of a binding: a provider's configuration, a resource or a data source."""

    kind: Kind
    type: str
    """Such as `google_redis_instance`; for a provider its name."""
    main: Class
    classes: dict[str, Class]


def binding(typescript: str) -> Binding:
    """The text of one folder, read. Raises ReplayError for text that declares no resource."""
    found = classes(typescript)
    named = _RESOURCE_TYPE.search(typescript)
    for main in found.values():
        if main.base in _KINDS and named:
            return Binding(_KINDS[main.base], named[1], main, found)
    raise ReplayError("a file of the npm bindings declares no resource: has the generator changed, or the package?")
