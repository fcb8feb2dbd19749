"""Callers with tokens of a real OpenID Connect provider, and forged tokens, which let nobody in."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest

from slipway_runtime.gateway import signing_keys
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.callers import Unproven
from slipway_runtime.gateway.oidc import Oidc, TrustedProvider, is_for
from slipway_runtime.gateway.routes import AgentAccess
from slipway_runtime.gateway.signing_keys import LOOK_SECONDS, SigningKeys, new_provider_session
from slipway_runtime.identity import MAX_GROUPS, Caller
from slipway_runtime.problems import Problem
from slipway_runtime.settings import GatewaySettings
from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.oidc import AUDIENCE, OidcProvider, SigningKey, elliptic, oidc_provider
from tests.support.waiting import until

ONE, TWO, FOREIGN = SigningKey("one"), elliptic("two"), SigningKey("one")


@pytest.fixture(scope="module")
def shared() -> Iterator[OidcProvider]:
    with oidc_provider(ONE) as started:
        yield started


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    """One of the test's own, to be rotated or stopped."""
    with oidc_provider(ONE) as started:
        yield started


@pytest.fixture
def start_guarded(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> Callable[..., Any]:
    """Start a gateway that takes a provider's tokens and the API key of bob."""

    async def start(provider: OidcProvider, **settings: object) -> tuple[Front, str]:
        key, entry = new_key("bob")
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": [entry.model_dump()]}))
        _, url = await start_host()
        chosen = {"oidc_issuer": provider.issuer, "oidc_audiences": AUDIENCE, **settings}
        front = await start_front(auth_mode="apikeys", api_keys_file=path, **chosen)
        front.routes.set(SUPPORT, [url])
        return front, key

    return start


async def ask(front: Front, credential: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {credential}"}
    async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
        return response.status, await response.json()


async def test_a_token_of_the_provider_lets_its_caller_in(provider: OidcProvider, start_guarded: Any) -> None:
    front, key = await start_guarded(provider)
    token = await provider.token()
    status, answer = await ask(front, token)
    assert status == 200, answer
    run = f"/agents/{SUPPORT}/runs/{answer['run_id']}"
    for credential, found in ((token, 200), (key, 404)):  # it is the machine's run and nobody else's
        async with front.client.get(run, headers={"X-API-Key": credential}) as response:
            assert response.status == (found if credential == key else 401)
        async with front.client.get(run, headers={"Authorization": f"Bearer {credential}"}) as response:
            assert response.status == found


async def test_groups_of_the_token_decide(provider: OidcProvider, start_guarded: Any) -> None:
    front, key = await start_guarded(provider)
    front.routes.restrict(SUPPORT, AgentAccess(frozenset({"robots"})))
    assert (await ask(front, await provider.token()))[0] == 200
    assert (await ask(front, key))[0] == 404


async def test_a_rotated_key_works_at_once(
    provider: OidcProvider, start_guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "LOOK_SECONDS", 0.0)
    front, _ = await start_guarded(provider)
    before = await provider.token()
    assert (await ask(front, before))[0] == 200
    provider.use(TWO, ONE)
    after = await provider.token()
    assert jwt.get_unverified_header(after)["alg"] == "ES256"
    assert [(await ask(front, token))[0] for token in (after, before)] == [200, 200]
    provider.use(TWO)
    assert (await ask(front, SigningKey("three").sign(provider.claims())))[0] == 401  # which makes it look again
    assert [(await ask(front, token))[0] for token in (after, before)] == [200, 401]


async def test_a_provider_that_is_gone_costs_nobody_else_anything(
    start_guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "LOOK_SECONDS", 0.0)
    with oidc_provider(ONE) as provider:
        front, key = await start_guarded(provider)
        token = await provider.token()
    status, problem = await ask(front, token)
    assert (status, problem["reason"]) == (503, "IdentityUnavailable")
    assert (await ask(front, key))[0] == 200
    async with front.client.get("/readyz") as response:
        assert response.status == 200
    with oidc_provider(ONE, port=provider.port):
        assert (await ask(front, token))[0] == 200
    assert (await ask(front, token))[0] == 200  # its last good keys stay


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_unknown_keys_make_it_look_every_few_seconds_at_most(shared: OidcProvider) -> None:
    clock, looked = Clock(), 0

    class Counting(SigningKeys):
        async def _fetch(self) -> Any:
            nonlocal looked
            looked += 1
            return await super()._fetch()

    async with new_provider_session() as session:
        keys = Counting(shared.issuer, session, clock=clock)
        for number in range(20):
            assert await keys.find(f"unknown-{number}", "RS256") is None
        assert looked == 1
        clock.now += LOOK_SECONDS
        assert await keys.find("unknown", "RS256") is None
        assert looked == 2
        clock.now += signing_keys.REFRESH_SECONDS + 1
        assert await keys.find("one", "RS256")
        await until(lambda: looked == 3, "it looks without anybody waiting")
        await keys.aclose()
        clock.now += signing_keys.LAST_GOOD_SECONDS + 1
        assert await keys.find("one", "RS256")
        assert looked == 4


# --- forged tokens -------------------------------------------------------------------------------------------------


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unsigned(claims: dict[str, Any], **header: Any) -> str:
    return f"{part({'typ': 'JWT', **header})}.{part(claims)}."


def with_mac_of_the_public_key(claims: dict[str, Any]) -> str:
    """What a verifier takes that lets the token choose the algorithm: the public key as the secret of an HMAC."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = ONE.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'one'})}.{part(claims)}"
    return f"{signed}.{part(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def tampered(claims: dict[str, Any]) -> str:
    head, _, signature = ONE.sign(claims).split(".")
    return f"{head}.{part({**claims, 'sub': 'root'})}.{signature}"


def without_signature(claims: dict[str, Any]) -> str:
    return ONE.sign(claims).rpartition(".")[0] + "."


def with_signature_of_another(claims: dict[str, Any]) -> str:
    return ONE.sign(claims).rpartition(".")[0] + "." + ONE.sign({**claims, "sub": "other"}).rpartition(".")[2]


Forge = Callable[[OidcProvider], str]
SMALL_STEP, HOUR = 60, 3600


def claims(**changed: Any) -> Callable[[OidcProvider], str]:
    """Signed with the provider's own key, but it says something that it must not."""
    return lambda provider: ONE.sign(provider.claims(**changed))


def soon(seconds: int) -> int:
    return int(time.time()) + seconds


FORGED: dict[str, Forge] = {
    "alg none": lambda it: unsigned(it.claims(), alg="none", kid="one"),
    "alg None": lambda it: unsigned(it.claims(), alg="None", kid="one"),
    "no alg": lambda it: unsigned(it.claims(), kid="one"),
    "HMAC with the public key": lambda it: with_mac_of_the_public_key(it.claims()),
    "for another service": claims(aud="https://other.example.org"),
    "for a service whose name begins alike": claims(aud=AUDIENCE + ".evil.example"),
    "for nobody": claims(aud=None),
    "for an empty list": claims(aud=[]),
    "of another issuer": claims(iss="https://evil.example.org"),
    "of an issuer with a slash": lambda it: ONE.sign(it.claims(iss=it.issuer + "/")),
    "of no issuer": claims(iss=None),
    "expired": lambda it: ONE.sign(it.claims(exp=soon(-SMALL_STEP))),
    "without an end": claims(exp=None),
    "with an end that is no number": claims(exp="tomorrow"),
    "not yet valid": lambda it: ONE.sign(it.claims(nbf=soon(HOUR))),
    "issued in the future": lambda it: ONE.sign(it.claims(iat=soon(HOUR))),
    "without a subject": claims(sub=None),
    "with an empty subject": claims(sub=""),
    "with a subject that is no text": claims(sub=7),
    "with a line feed in the subject": claims(sub="ann\nroot"),
    "with groups that are no names": claims(groups=[{"name": "staff"}]),
    "with too many groups": claims(groups=[f"g{n}" for n in range(MAX_GROUPS + 1)]),
    "of an unknown key": lambda it: SigningKey("unknown").sign(it.claims()),
    "of another's key with a known name": lambda it: FOREIGN.sign(it.claims()),
    "of another's key, which it brings": lambda it: FOREIGN.sign(it.claims(), jwk=FOREIGN.to_jwk(public=True)),
    "of another's key, which it says where to get": lambda it: FOREIGN.sign(
        it.claims(), kid=None, jku="https://evil.example.org/jwks", x5u="https://evil.example.org/cert"
    ),
    "with another's certificate": lambda it: FOREIGN.sign(it.claims(), x5c=["MIIB"]),
    "with a key's name that is a path": lambda it: ONE.sign(it.claims(), kid="../../etc/passwd"),
    "with something critical": lambda it: ONE.sign(it.claims(), crit=["exp2"], exp2=1),
    "tampered": lambda it: tampered(it.claims()),
    "without its signature": lambda it: without_signature(it.claims()),
    "with the signature of another token": lambda it: with_signature_of_another(it.claims()),
    "for logging out": lambda it: ONE.sign(it.claims(), typ="logout+jwt"),
    "an identity of the gateway": lambda it: ONE.sign(it.claims(), typ="slipway-identity+jwt"),
    "of a curve for a key that is none": lambda it: elliptic("one").sign(it.claims()),
    "nested without end": lambda it: f"{part({'alg': 'RS256'})}.{part(b'[' * 9000)}.x",
    "no JSON": lambda it: "a.b.c",
    "empty": lambda it: "..",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_lets_nobody_in(shared: OidcProvider, start_guarded: Any, name: str) -> None:
    front, _ = await start_guarded(shared)
    status, problem = await ask(front, FORGED[name](shared))
    assert (status, problem["reason"]) == (401, "Unauthenticated"), problem


@pytest.mark.parametrize(
    "changed", [{}, {"aud": [AUDIENCE, "x"]}, {"nbf": 0}, {"groups": []}, {"groups": "staff"}, {"sub": "auth0|7"}]
)
async def test_what_the_forged_ones_differ_from_does(
    shared: OidcProvider, start_guarded: Any, changed: dict[str, Any]
) -> None:
    front, _ = await start_guarded(shared)
    status, answer = await ask(front, ONE.sign(shared.claims(**changed)))
    assert status == 200, answer


async def test_a_token_is_accepted_again_until_its_end_and_not_after(shared: OidcProvider, start_guarded: Any) -> None:
    """A bearer token can be sent twice: what bounds a stolen one is its end."""
    front, _ = await start_guarded(shared)
    token = ONE.sign(shared.claims(exp=soon(HOUR)))
    assert [(await ask(front, token))[0] for _ in range(2)] == [200, 200]
    assert (await ask(front, ONE.sign(shared.claims(exp=soon(-HOUR)))))[0] == 401


@pytest.fixture
async def reader(shared: OidcProvider, stack: AsyncExitStack) -> Callable[..., Any]:
    session = await stack.enter_async_context(new_provider_session())
    keys = SigningKeys(shared.issuer, session)
    stack.push_async_callback(keys.aclose)

    async def read(chosen: dict[str, Any], **claims: Any) -> Caller | Unproven:
        oidc = Oidc(TrustedProvider(shared.issuer, (AUDIENCE,), **chosen), keys)
        token = ONE.sign(shared.claims(**claims))
        return await oidc.caller([(b"authorization", f"Bearer {token}".encode())])

    return read


@pytest.mark.parametrize(
    ("chosen", "claims", "subject", "groups"),
    [
        ({}, {"groups": ["a", "b"]}, "machine", ("a", "b")),
        ({"groups_claim": "realm_access.roles"}, {"realm_access": {"roles": ["a"]}}, "machine", ("a",)),
        ({"groups_claim": "https://x.example/g"}, {"https://x.example/g": ["a"]}, "machine", ("a",)),
        ({"groups_claim": "groups.x"}, {"groups": ["a"]}, "machine", ()),
        ({"username_claim": "email"}, {"email": "ann@x.example", "email_verified": True}, "ann@x.example", ()),
        ({"username_claim": "email"}, {"email": "ann@x.example", "email_verified": False}, None, ()),
        ({"username_claim": "email"}, {}, None, ()),
    ],
)
async def test_which_claims_count(
    reader: Any, chosen: dict[str, Any], claims: dict[str, Any], subject: str | None, groups: tuple[str, ...]
) -> None:
    found = await reader(chosen, **claims)
    if subject is None:
        assert isinstance(found, Unproven)
    else:
        assert (found.subject, found.groups) == (subject, groups)


@pytest.mark.parametrize(
    ("audience", "ours"),
    [
        ("slipway", True),
        (["x", "slipway"], True),
        ("https://agents.example.org", True),
        ("https://agents.example.org/", True),
        ("https://agents.example.org/agents/demo/support/mcp", True),
        ("https://agents.example.org.evil.example", False),
        ("https://agents.example.orgx/", False),
        ("", False),
        (None, False),
        ([None, 7], False),
    ],
)
def test_whom_a_token_is_for(audience: object, ours: bool) -> None:
    assert is_for(TrustedProvider("x", ("slipway",), resource="https://agents.example.org"), audience) == ours


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "https"),
        ({"oidc_issuer": "http://localhost.evil.example"}, "https"),
        ({"oidc_audiences": ""}, "OIDC_AUDIENCES"),
        ({"auth_mode": "open"}, "lets everybody in"),
        ({"public_url": "https://x.example/path"}, "without a path"),
    ],
)
def test_settings_that_would_let_strangers_in_are_refused(wrong: dict[str, str], says: str) -> None:
    right = {"oidc_issuer": "https://id.example.org", "oidc_audiences": "slipway"}
    assert GatewaySettings.model_validate(right).oidc_audiences == ("slipway",)
    with pytest.raises(ValueError, match=says):
        GatewaySettings.model_validate({**right, **wrong})


async def test_a_provider_that_lies_is_not_believed(shared: OidcProvider) -> None:
    async with new_provider_session() as session:
        oidc = Oidc(TrustedProvider(shared.issuer + "/", (AUDIENCE,)), SigningKeys(shared.issuer + "/", session))
        token = ONE.sign(shared.claims(iss=shared.issuer + "/"))
        with pytest.raises(Problem, match="IdentityUnavailable"):
            await oidc.caller([(b"authorization", f"Bearer {token}".encode())])
