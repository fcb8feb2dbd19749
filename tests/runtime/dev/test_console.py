"""What `slipway dev` tells where it cannot draw a bar."""

from io import StringIO

from rich.console import Console

from slipway_runtime.dev.console import LINE_SECONDS, Teller
from slipway_runtime.dev.manifests import Key


def test_an_ingestion_is_told_line_by_line_now_and_then() -> None:
    now, out = 100.0, StringIO()
    teller = Teller(Console(file=out, highlight=False), clock=lambda: now)
    one, two = Key("demo", "one"), Key("demo", "two")
    with teller.progress() as report:
        report(one, 0, 80)
        report(two, 0, 0)
        now += LINE_SECONDS - 0.5
        report(one, 30, 80)
        now += 0.5
        report(one, 40, 80)
        report(two, 0, 0)
    assert out.getvalue().splitlines() == [
        "ingesting demo/one: 0/80 chunks, 0 s",
        "ingesting demo/one: 40/80 chunks, 3 s",
    ]
