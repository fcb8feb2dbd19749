"""Ways to speak for a caller to a host without the gateway, on a real host: old tokens, and a key list of one's own."""

import time
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway_operator.installation.identity import public_half
from slipway_runtime.identity import HEADER, ISSUER, MAX_AGE_SECONDS, TOKEN_TYPE, Caller, IdentitySigner
from tests.support.asking import ask_json
from tests.support.host_process import host_process
from tests.support.identity_keys import write_keys
from tests.support.scripted_host import SEED
from tests.support.scripts import AGENT, SIGNER
from tests.support.waiting import until_async

RUNS = f"/agents/{AGENT}/runs"
GATEWAY = Ed25519PrivateKey.from_private_bytes(SEED)


def now() -> int:
    return int(time.time())


ALICE = Caller.by_key("alice")
ALICE_CLAIMS = {"sub": ALICE.subject, "issuer": ALICE.issuer}


def signed(*, typ: str = TOKEN_TYPE, **changes: Any) -> str:
    """A token by the gateway's own key."""
    claims = {
        "iss": ISSUER,
        "aud": AGENT,
        **ALICE_CLAIMS,
        "iat": now(),
        "exp": now() + 86_400,
        **changes,
    }
    return jwt.encode(claims, GATEWAY, algorithm="EdDSA", headers={"typ": typ})


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


async def status(url: str, token: str) -> int:
    async with (
        aiohttp.ClientSession(url) as client,
        client.post(RUNS, json=ask_json("3 words"), headers={HEADER: token}) as response,
    ):
        return response.status


async def test_a_correctly_signed_token_is_refused_when_it_is_old_or_of_the_future(tmp_path: Path, dsn: str) -> None:
    with host_process(tmp_path, dsn) as host:
        assert await status(host.url, signed()) == 200
        assert await status(host.url, signed(iat=now() - MAX_AGE_SECONDS - 1)) == 401
        assert await status(host.url, signed(iat=0)) == 401
        assert await status(host.url, signed(iat=now() + 3600)) == 401
        assert await status(host.url, signed(iat=float("inf"))) == 401
        assert await status(host.url, signed(typ="JWT")) == 401


@pytest.mark.parametrize("whose", ["the intruder's", "another installation's"])
async def test_whoever_writes_config_maps_cannot_vouch_for_callers(tmp_path: Path, dsn: str, whose: str) -> None:
    """The list of keys is in a ConfigMap, which many may write who may not read the store."""
    own = Ed25519PrivateKey.generate()
    with host_process(tmp_path, dsn) as host:
        anchor = own if whose == "the intruder's" else Ed25519PrivateKey.generate()
        write_keys(tmp_path, SIGNER.public_key, public_half(own), anchor=anchor)
        token = jwt.encode(
            {"iss": ISSUER, "aud": AGENT, **ALICE_CLAIMS, "iat": now(), "exp": now() + 60},
            own,
            algorithm="EdDSA",
            headers={"typ": TOKEN_TYPE},
        )

        async def refused() -> bool:
            assert await status(host.url, token) == 401
            return "the changed identity keys cannot be used" in host.log.read_text()

        await until_async(refused, "the host has read the list and says what is wrong")
        assert await status(host.url, SIGNER.sign(ALICE, AGENT)) == 200, "the last good list stays in force"


async def test_a_key_that_was_taken_off_the_list_is_worth_nothing(tmp_path: Path, dsn: str) -> None:
    other = IdentitySigner.generate()
    with host_process(tmp_path, dsn) as host:
        assert await status(host.url, SIGNER.sign(ALICE, AGENT)) == 200
        write_keys(tmp_path, other.public_key)

        async def taken_off() -> bool:
            return await status(host.url, SIGNER.sign(ALICE, AGENT)) == 401

        await until_async(taken_off, "the host has read the list")
        assert await status(host.url, other.sign(ALICE, AGENT)) == 200
