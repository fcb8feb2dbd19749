"""The public keys of an identity provider: found by OpenID Connect discovery, and read again when they change.

A token that names an unknown key makes the gateway look for new keys, which is how a provider rotates. Anybody can send
such a token, so that happens every few seconds at most. While the provider cannot be reached, its last keys stay.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import jwt
import orjson

from slipway_runtime.settings import is_secure

log = logging.getLogger(__name__)

KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The algorithms that are taken, with the type of key that each needs. Only those with a public key are among them."""
REFRESH_SECONDS = 600.0
"""After which the keys are read again, so that one that the provider withdrew stops working."""
LOOK_SECONDS = 5.0
"""How often at most the provider is asked because of a token."""
LAST_GOOD_SECONDS = 86_400.0
"""How long keys stay in force while the provider cannot be asked."""
FETCH_SECONDS = 5.0
DOCUMENT_BYTES = 512 * 1024


class Unavailable(Exception):
    """The provider's keys are not known, and it cannot be asked for them; the text is for the log."""


def new_provider_session() -> aiohttp.ClientSession:
    """A client for identity providers, which may be outside the cluster and behind a proxy."""
    return aiohttp.ClientSession(
        trust_env=True, timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
    )


class SigningKeys:
    """The keys of one issuer."""

    def __init__(
        self, issuer: str, session: aiohttp.ClientSession, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._session = session
        self._clock = clock
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._read = self._looked = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key that a token says it is signed with; None if the provider has no such key.

        Args:
            kid: None where the token names no key, which is enough where only one fits.

        Raises:
            Unavailable: if the provider's keys are not known.
        """
        if self._clock() - self._read > LAST_GOOD_SECONDS:
            self._keys = ()
        found = self._pick(kid, algorithm)
        if found is None:
            await self._look()
            found = self._pick(kid, algorithm)
        elif self._clock() - self._read > REFRESH_SECONDS:
            self._start_looking()  # nobody waits for it
        if found is None and not self._keys:
            raise Unavailable(f"the keys of {self._issuer} are not known")
        return found

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _pick(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [
            each
            for each in self._keys
            if each.get("kty") == KINDS[algorithm]
            and each.get("alg", algorithm) == algorithm
            and each.get("use", "sig") == "sig"
            and (kid is None or each.get("kid") == kid)
        ]
        if len(fitting) != 1:
            return None
        try:
            return jwt.PyJWK(dict(fitting[0]), algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            return None  # a key that the provider wrote wrong

    async def _look(self) -> None:
        self._start_looking()
        if self._asking:
            await asyncio.shield(self._asking)

    def _start_looking(self) -> None:
        """Ask the provider, unless that is under way or was just done."""
        if self._asking and not self._asking.done():
            return
        if self._clock() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._clock()
        self._asking = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            self._keys = await self._fetch()
            self._read = self._clock()
            log.info("keys of the identity provider read", extra={"issuer": self._issuer, "keys": len(self._keys)})
        except (aiohttp.ClientError, TimeoutError, ConnectionError, Unavailable, ValueError) as error:
            log.error(
                "the keys of the identity provider %s cannot be read (%s): see whether this gateway reaches it",
                self._issuer,
                error or type(error).__name__,
            )

    async def _fetch(self) -> tuple[Mapping[str, Any], ...]:
        found = await self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:
            raise Unavailable(f"its discovery document is of the issuer {str(found.get('issuer'))[:200]!r}")
        where = found.get("jwks_uri")
        if not isinstance(where, str) or not is_secure(where):
            raise Unavailable("its discovery document names no jwks_uri with https")
        keys = (await self._document(where)).get("keys")
        if not isinstance(keys, list):
            raise Unavailable("its JWK Set has no keys")
        return tuple(each for each in keys if isinstance(each, dict))

    async def _document(self, url: str) -> Mapping[str, Any]:
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise Unavailable(f"{url} answered {response.status}")
            data = bytearray()
            async for piece in response.content.iter_chunked(64 * 1024):
                data += piece
                if len(data) > DOCUMENT_BYTES:
                    raise Unavailable(f"{url} answered more than {DOCUMENT_BYTES} bytes")
        document = orjson.loads(data)
        if not isinstance(document, dict):
            raise Unavailable(f"{url} answered no JSON object")
        return document
