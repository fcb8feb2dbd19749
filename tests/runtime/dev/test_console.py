"""What `slipway dev` reports where it cannot draw a bar."""

from io import StringIO

import pytest
from rich.console import Console

from slipway_runtime.dev.console import LINE_SECONDS, Teller
from slipway_runtime.dev.manifests import NamespacedName
from slipway_runtime.knowledge.ingestion.ingestion import IngestionProgress


@pytest.mark.parametrize("keys", [True, False])
def test_the_commands_that_ask_carry_a_key_where_the_gateway_asks_for_one(keys: bool) -> None:
    out = StringIO()
    teller = Teller(Console(file=out, highlight=False, soft_wrap=True))
    teller.serving("http://127.0.0.1:8080", ["demo/handbook"], seconds=1, reach="open", keys=keys)
    assert ('chat -H "Authorization: Bearer $SLIPWAY_API_KEY" -d' in out.getvalue()) == keys
    assert ("set SLIPWAY_API_KEY to an API key first" in out.getvalue()) == keys


def test_manifests_of_plugins_alone_lack_no_agent() -> None:
    for wanted in (True, False):
        out = StringIO()
        Teller(Console(file=out)).serving("http://x", [], seconds=1, reach="open", keys=False, wanted=wanted)
        assert ("fix what is reported above" in out.getvalue()) == wanted


def test_an_ingestion_is_told_line_by_line_now_and_then() -> None:
    now, out = 100.0, StringIO()
    teller = Teller(Console(file=out, highlight=False), clock=lambda: now)
    one, two = NamespacedName("demo", "one"), NamespacedName("demo", "two")
    with teller.progress() as report:
        report(one, IngestionProgress(0, 8))
        report(two, IngestionProgress())
        now += LINE_SECONDS - 0.5
        report(one, IngestionProgress(3, 8, 30))
        now += 0.5
        report(one, IngestionProgress(4, 8, 40))
        report(two, IngestionProgress())
    assert out.getvalue().splitlines() == [
        "ingesting demo/one: 0/8 documents, 0 chunks, 0 s",
        "ingesting demo/one: 4/8 documents, 40 chunks, 3 s",
    ]
