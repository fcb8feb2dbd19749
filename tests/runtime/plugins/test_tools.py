"""What keeps a tool of a server from being shown."""

from typing import Any

import pytest

from slipway_runtime.plugins.tools import MOST_NAMED, malformed


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(("icons", "fields"), [(1, {"icons"}), (MOST_NAMED, {"icons"}), (MOST_NAMED + 1, {"fields"})])
def test_the_fields_are_named_unless_there_are_too_many_mistakes(icons: int, fields: set[str], modern: bool) -> None:
    """A server may make millions of them, and each that is named costs the gateway time."""
    tool: dict[str, Any] = {"name": "a", "inputSchema": {"type": "object"}}
    assert malformed(tool, modern=modern) == set()
    assert malformed({**tool, "icons": [1] * icons}, modern=modern) == fields
