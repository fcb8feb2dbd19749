"""Values that expressions give: an object keeps the order of its keys, which CEL itself does not know."""

from typing import Any

import pytest

from slipway_runtime.workflows.expressions import evaluate, fill

REPORT = {"zeta": 1, "alpha": {"second": 2, "first": 1, "third": [{"y": 1, "x": 2}]}, "mid": None}
SEEN: dict[str, Any] = {"input": REPORT, "steps": {"write": REPORT, "count": 3}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("input", REPORT),
        ("steps.write.alpha", REPORT["alpha"]),
        ("{'title': 'x', 'report': input, 'count': steps.count, 'body': 'y'}", None),
        ("[{'b': 1, 'a': input.alpha}]", [{"b": 1, "a": REPORT["alpha"]}]),
        ("steps.write.alpha.third.filter(each, each.x == 2)", [{"y": 1, "x": 2}]),
    ],
)
def test_keys_keep_their_order(expression: str, value: Any) -> None:
    expected = value or {"title": "x", "report": REPORT, "count": 3, "body": "y"}
    assert repr(evaluate(expression, SEEN)) == repr(expected)
    assert repr(fill({"given": f"${{{expression}}}"}, SEEN)) == repr({"given": expected})
