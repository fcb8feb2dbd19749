"""What a new plugin may be made of. It imports nothing that a command's help would have to wait for."""

from enum import StrEnum


class NewPluginType(StrEnum):
    """The types that have a template."""

    PYTHON = "python"
    WASM = "wasm"
    OPENAPI = "openapi"
