"""Embedding services: contract-tested with the real clients against loopback servers, not verified live."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.service import CHARACTERS, ServiceEmbedder, batches
from tests.support.embedding_server import EmbeddingServer, embedding_server

TEXTS = ["Cats sleep for most of the day.", "A lock is filled in eight minutes.", "Tea is grown in Assam."]


@pytest.fixture
async def server(embedder: MiniLM) -> AsyncIterator[EmbeddingServer]:
    async with embedding_server(embedder) as made:
        yield made


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-first\n")
    return file


def service(server: EmbeddingServer, embedder: MiniLM, key_file: Path | None, **given: Any) -> ServiceEmbedder:
    config = {"provider": "openai-compatible", "model": "m-1", "dimensions": 512, "base_url": f"{server.url}/v1"}
    return ServiceEmbedder(
        EmbeddingConfig.model_validate(config | given), key_file=key_file, tokens=embedder, patience=20
    )


@pytest.fixture
async def made(server: EmbeddingServer, embedder: MiniLM, key_file: Path) -> AsyncIterator[ServiceEmbedder]:
    made = service(server, embedder, key_file, batch=2)
    yield made
    await made.close()


async def test_vectors_have_length_one_and_the_order_of_the_texts(
    made: ServiceEmbedder, server: EmbeddingServer
) -> None:
    seen: list[int] = []
    vectors = await made.embed_texts(TEXTS, progress=seen.append)
    assert vectors.shape == (3, 512)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert int((vectors @ await made.embed_query("How long does it take to fill a lock?")).argmax()) == 1
    assert sorted(seen)[-1] == 3
    assert sorted(len(each["input"]) for each in server.requests) == [1, 1, 2]
    assert set(server.keys) == {"Bearer sk-first"}
    assert all("dimensions" not in each for each in server.requests)


async def test_a_rotated_key_is_used_at_once(made: ServiceEmbedder, server: EmbeddingServer, key_file: Path) -> None:
    await made.embed_query("one")
    await asyncio.to_thread(key_file.write_text, "sk-second")
    await made.embed_query("two")
    assert server.keys == ["Bearer sk-first", "Bearer sk-second"]


async def test_a_model_is_asked_for_fewer_dimensions(server: EmbeddingServer, embedder: MiniLM, key_file: Path) -> None:
    made = service(server, embedder, key_file, dimensions=256, shortened=True)
    assert (await made.embed_query("one")).shape == (256,)
    assert server.requests[0]["dimensions"] == 256
    await made.close()


@pytest.mark.parametrize("fault", [(429, {"Retry-After": "0"}), (500, {}), (503, {})])
async def test_texts_are_sent_again_when_the_service_is_busy(
    made: ServiceEmbedder, server: EmbeddingServer, fault: tuple[int, dict[str, str]]
) -> None:
    server.faults.append(fault)
    assert (await made.embed_texts(TEXTS)).shape == (3, 512)
    assert len(server.requests) == 3


async def test_a_question_is_asked_once(made: ServiceEmbedder, server: EmbeddingServer) -> None:
    server.faults.append((500, {}))
    with pytest.raises(EmbeddingUnavailable, match="answers 500"):
        await made.embed_query("one")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((401, {}), "refuses the key: correct the Secret"),
        ((404, {}), "knows no such model"),
        ((400, {}), "answers 400"),
    ],
)
async def test_what_asking_again_does_not_mend_is_said_at_once(
    made: ServiceEmbedder, server: EmbeddingServer, fault: tuple[int, dict[str, str]], words: str
) -> None:
    server.faults += [fault] * 3
    with pytest.raises(EmbeddingUnavailable, match=words):
        await made.embed_texts(TEXTS[:2])
    assert len(server.requests) == 1


async def test_other_dimensions_than_declared_are_refused(
    server: EmbeddingServer, embedder: MiniLM, key_file: Path
) -> None:
    made = service(server, embedder, key_file, dimensions=384)
    with pytest.raises(EmbeddingUnavailable, match=r"gives 512 dimensions for 1 texts, and spec.embedding says 384"):
        await made.embed_query("one")
    await made.close()


async def test_a_missing_key_says_which_secret(server: EmbeddingServer, embedder: MiniLM, tmp_path: Path) -> None:
    made = service(server, embedder, tmp_path / "none")
    with pytest.raises(EmbeddingUnavailable, match=r"create the Secret that spec.embedding.service.apiKeyRef names"):
        await made.embed_query("one")
    await made.close()


def test_requests_are_bounded_in_texts_and_characters() -> None:
    assert batches([], most=4) == []
    assert batches(["a"] * 5, most=2) == [range(0, 2), range(2, 4), range(4, 5)]
    large = "x" * (CHARACTERS - 1)
    assert batches([large, "yy", large, large], most=9) == [range(0, 1), range(1, 2), range(2, 3), range(3, 4)]


async def test_vertex_is_asked_as_a_service_account(
    server: EmbeddingServer, embedder: MiniLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "slipway@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{server.url}/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    made = service(
        server,
        embedder,
        None,
        provider="vertex",
        model="text-embedding-005",
        project="p",
        location="europe-west3",
        base_url=server.url,
    )
    vectors = await made.embed_texts(TEXTS)
    assert int((vectors @ await made.embed_query("Where does tea grow?")).argmax()) == 2
    assert server.keys[0] == "Bearer token-of-the-tests"
    assert (
        "/projects/p/locations/europe-west3/publishers/google/models/text-embedding-005:predict"
        in (server.requests[0]["path"])
    )
    assert [each["instances"][0]["task_type"] for each in server.requests] == ["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"]
    await made.close()
