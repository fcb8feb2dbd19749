"""Pictures of workflows: Mermaid and a terminal's."""

import io

from rich.console import Console

from slipway_runtime.workflows.graph import GraphNode, drawing, mermaid, ordered

STEPS = [
    GraphNode("triage", "agent smart", (), "succeeded"),
    GraphNode("search", "index handbook", (), "failed"),
    GraphNode("approve", "approval by leads", ("search", "triage"), "waiting"),
    GraphNode("end", "agent smart", ("approve",)),
]


def test_mermaid_has_steps_arrows_and_states() -> None:
    lines = mermaid(STEPS).splitlines()
    assert lines[0] == "flowchart TD"
    assert '    triage["triage<br/>agent smart<br/>succeeded"]' in lines
    assert {"    search --> approve", "    triage --> approve"} <= set(lines)
    assert "    class approve waiting" in lines
    assert "    approve --> end_" in lines, "`end` is a word of Mermaid's"


def test_what_a_step_says_cannot_change_a_mermaid_picture() -> None:
    (_, label) = mermaid([GraphNode("a", 'x"] --> b["y\n<script>')]).splitlines()
    assert label == '    a["a<br/>x#34;#93; --#62; b#91;#34;y#10;#60;script#62;"]'


def test_a_terminal_shows_a_step_below_the_last_one_that_it_needs() -> None:
    console = Console(width=100, color_system=None, record=True, file=io.StringIO())
    console.print(drawing(STEPS, title="demo/document"))
    shown = console.export_text()
    assert shown.splitlines() == [
        "demo/document",
        "├── + triage  agent smart  succeeded",
        "│   └── ? approve  approval by leads  (also after search)  waiting",
        "│       └── . end  agent smart",
        "└── x search  index handbook  failed",
    ]


def test_the_order_follows_needs_and_survives_a_circle() -> None:
    circle = [GraphNode("b", "", ("a",)), GraphNode("a", "", ("b",)), GraphNode("c", "", ("gone",))]
    assert [each.name for each in ordered(circle)] == ["c", "b", "a"]
    assert [each.name for each in ordered([GraphNode("b", "", ("a",)), GraphNode("a", "")])] == ["a", "b"]
