"""Bad input on a real cluster, where only a real cluster can show it (docs/errors.md lists all that is tried)."""

import base64
import itertools
from collections.abc import Iterator
from hashlib import sha512

import aiohttp
import pytest

from tests.support import operator_manifests as manifests
from tests.support.chatting import ask
from tests.support.cluster import Installation
from tests.support.operator_bench import Bench, bench, new_bench
from tests.support.small_disk import small_disk

__all__ = ["bench"]
pytestmark = pytest.mark.cluster

LIMIT = 1024 * 1024
DRAINS = "What does a pod that drains do?"
FINISHES = "It finishes what it has and then goes away."


@pytest.fixture(scope="module")
def largest(installation: Installation) -> Iterator[Bench]:
    """An index over the largest ConfigMap that there can be: it takes a while, so it is begun before the others.

    It lists files with long checksums. Each of those is one token, so that a document of this size is embedded sooner.
    """
    with new_bench(installation) as made:
        lines = (f"- file {number} {sha512(str(number).encode()).hexdigest() * 5}\n" for number in itertools.count())
        text = "# Files\n\n" + "".join(itertools.islice(lines, LIMIT // 640))
        room = LIMIT - 1 - len(manifests.TEXTS["a.md"])
        assert len(text) > room
        documents = {"a.md": manifests.TEXTS["a.md"], "z.md": text[:room]}
        made.apply(manifests.documents(made.namespace, **documents), manifests.index(made.namespace))
        yield made


def test_a_full_disk_under_chroma_fails_the_ingestion_and_the_agent_goes_on(
    largest: Bench, bench: Bench, installation: Installation
) -> None:
    with small_disk(installation, megabytes=2) as disk:
        chroma = {"chroma": {"storageClassName": disk.storage_class}}
        bench.apply(manifests.documents(bench.namespace), bench.agent())
        bench.apply(manifests.index(bench.namespace, backend=chroma))
        bench.until_condition("agents", "support")
        disk.fill()
        ships = "".join(f"# Ship {number}\n\nShip {number} has {number} masts.\n\n" for number in range(40))
        bench.apply(manifests.documents(bench.namespace, **manifests.TEXTS, **{"ships.md": ships}))
        failed = bench.until_condition(
            "vectorindexes", "handbook", condition="Synced", status="False", reason="IngestionFailed"
        )
        assert "disk is full" in failed["message"]
        assert bench.condition("vectorindexes", "handbook")["status"] == "True", "the last build serves"
        assert bench.condition("agents", "support")["status"] == "True"
        disk.enlarge(64)
        bench.apply(manifests.documents(bench.namespace, **manifests.TEXTS, **{"boats.md": ships}))
        bench.until_condition("vectorindexes", "handbook", condition="Synced")
        assert bench.get("vectorindexes", "handbook")["status"]["documents"] == 3


async def test_agents_of_one_name_in_two_namespaces_have_nothing_in_common(
    installation: Installation, bench: Bench, asking: aiohttp.ClientSession
) -> None:
    with new_bench(installation) as other:
        cats = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
        bench.apply(manifests.documents(bench.namespace), manifests.index(bench.namespace), bench.agent())
        other.apply(manifests.documents(other.namespace, **{"cats.md": cats}), manifests.index(other.namespace))
        other.apply(other.agent())
        for each in (bench, other):
            each.until_condition("agents", "support")
        here, there = f"{bench.namespace}/support", f"{other.namespace}/support"
        drains = await ask(asking, DRAINS, agent=here)
        assert FINISHES in drains["answer"]
        assert (await ask(asking, DRAINS, agent=there))["sources"] == []
        assert "most of the day" in (await ask(asking, "When do cats sleep?", agent=there))["answer"]
        async with asking.get(f"/agents/{there}/sessions/{drains['session_id']}") as response:
            assert (response.status, (await response.json())["reason"]) == (404, "SessionNotFound")


def test_binary_data_is_counted_and_the_rest_is_ingested(bench: Bench) -> None:
    documents = manifests.documents(bench.namespace)
    text = base64.b64encode(b"# Ships\n\nShips have masts.\n").decode()
    documents["binaryData"] = {"picture.md": base64.b64encode(b"\x89PNG\xff\xfe").decode(), "text.md": text}
    bench.apply(documents, manifests.index(bench.namespace))
    synced = bench.until_condition("vectorindexes", "handbook", condition="Synced", reason="SomeDocumentsFailed")
    assert "picture.md" in synced["message"]
    status = bench.get("vectorindexes", "handbook")["status"]
    assert (status["documents"], status["failed"]) == (3, 1)
    assert bench.condition("vectorindexes", "handbook")["status"] == "True"


async def test_the_largest_config_map_is_ingested_whole(largest: Bench, asking: aiohttp.ClientSession) -> None:
    largest.until_condition("vectorindexes", "handbook", condition="Synced", deadline=600)
    assert largest.get("vectorindexes", "handbook")["status"]["documents"] == 2
    largest.apply(largest.agent())
    largest.until_condition("agents", "support")
    assert FINISHES in (await ask(asking, DRAINS, agent=f"{largest.namespace}/support"))["answer"]
