"""Code of one's own by `slipway dev`: the example as it is, and code that raises when it is imported."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.support.dev_process import DevProcess
from tests.support.waiting import until

EXAMPLE = Path(__file__).parents[3] / "examples" / "custom"


async def ask(url: str, question: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession(url) as client, client.post("/agent/chat", json={"question": question}) as reply:
        return reply.status, await reply.json(content_type=None)


async def test_code_that_raises_says_so_and_is_tried_again(tmp_path: Path) -> None:
    process = DevProcess(tmp_path, "--port", "0")
    manifest, code = (EXAMPLE / "agent.yaml").read_text(), (EXAMPLE / "order_desk.py").read_text()
    process.replace(manifest)
    module = process.manifest.parent / "order_desk.py"
    module.write_text("raise RuntimeError('no table of orders')")
    process.start()
    try:
        url = await process.url()
        assert process.says(r"importing it raised RuntimeError: no\s+table of\s+orders")
        status, problem = await ask(url, "Where is order 1001?")
        assert (status, problem["reason"]) == (500, "InternalError")
        assert "importing it raised RuntimeError: no table of orders: fix the module" in problem["detail"]
        module.write_text(code)
        process.replace(manifest + "\n")
        await until(lambda: process.says(r"(?m)^reloaded"), "the code is imported", deadline=60)
        status, answer = await ask(url, "Where is order 1001?")
        assert (status, answer.get("answer"), answer.get("detail")) == (
            200,
            "Your order left our store on Monday.",
            None,
        )
        _, answer = await ask(url, "Where is my order?")
        assert (answer["abstained"], answer["agent_used"]) == (True, "demo/orders")
    finally:
        process.stop()


def test_the_example_is_as_short_as_the_guide_says() -> None:
    assert len((EXAMPLE / "order_desk.py").read_text().splitlines()) <= 45
