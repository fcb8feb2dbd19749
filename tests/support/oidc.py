"""A real OpenID Connect provider in a process of its own, and tokens that it would never sign."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support import npm
from tests.support.servers import free_port

FOLDER = Path(__file__).parent / "oidc_provider"
AUDIENCE = "https://agents.example.org"
SECRET = "a secret of the tests"


@dataclass(frozen=True)
class SigningKey:
    """A private key of a provider, with its name."""

    kid: str
    key: RSAPrivateKey | EllipticCurvePrivateKey = field(
        default_factory=lambda: generate_rsa_key(public_exponent=65537, key_size=2048)
    )

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.key, RSAPrivateKey) else "ES256"

    def to_jwk(self, *, public: bool = False) -> dict[str, Any]:
        """As a provider is given it, or publishes it."""
        key = self.key.public_key() if public else self.key
        made = RSAAlgorithm.to_jwk(key) if isinstance(self.key, RSAPrivateKey) else ECAlgorithm.to_jwk(key)  # type: ignore[arg-type]
        found = {name: value for name, value in json.loads(made).items() if name != "key_ops"}
        return {**found, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token with these claims; None in the header leaves a field out."""
        named = {"kid": self.kid, "typ": "at+jwt", **header}
        return jwt.encode(
            dict(claims),
            self.key,
            algorithm=self.algorithm,
            headers={name: value for name, value in named.items() if value is not None},
        )


def elliptic(kid: str) -> SigningKey:
    """A key on a curve."""
    return SigningKey(kid, generate_ec_key(SECP256R1()))


@dataclass
class OidcProvider:
    """A running provider."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def use(self, *keys: SigningKey) -> None:
        """Publish these keys and sign with the first of them."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"keys": [each.to_jwk() for each in keys]}).encode() + b"\n")
        self.process.stdin.flush()
        assert json.loads(self.process.stdout.readline()) == {"issuer": self.issuer}

    async def token(self, **more: str) -> str:
        """What the provider gives the client `machine`, whose group is `robots`."""
        login = {"client_id": "machine", "client_secret": SECRET}
        form = {"grant_type": "client_credentials", **login, **more}
        async with aiohttp.ClientSession() as client, client.post(f"{self.issuer}/token", data=form) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return str(answer["access_token"])

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What such a token says; None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "machine", "iat": now, "exp": now + 600, **changed}
        return {name: value for name, value in claims.items() if value is not None}


@contextmanager
def oidc_provider(*keys: SigningKey, port: int | None = None) -> Iterator[OidcProvider]:
    """A provider that signs with the first of these keys, for as long as the block lasts."""
    modules, port = npm.installed(FOLDER) / "node_modules", port or free_port()
    process = subprocess.Popen(
        ["node", FOLDER / "provider.mjs", modules, str(port), AUDIENCE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it warns that it is not made for production
    )
    with process:
        try:
            provider = OidcProvider(port, process)
            provider.use(*keys)
            yield provider
        finally:
            process.kill()
