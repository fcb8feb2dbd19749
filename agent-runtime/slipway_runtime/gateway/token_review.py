"""Callers with a token of a Kubernetes ServiceAccount, which the API server checks (TokenReview).

A token goes to the API server only if it says that it is for the gateway: others, such as those for the API server
itself, are none of the gateway's business. Answers are kept for seconds, by the token's hash.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt

from slipway_runtime.gateway.auth import bearer
from slipway_runtime.gateway.callers import Headers, Unproven, groups_problem
from slipway_runtime.gateway.kubernetes_api import ApiErrors, ApiRefused, KubernetesApi
from slipway_runtime.gateway.oidc import INVALID_TOKEN
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason

log = logging.getLogger(__name__)

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "kubernetes"
"""Of callers that a cluster vouches for."""
KNOWN_SECONDS = 30.0
"""How long a caller stays let in after the account or the pod of its token was deleted."""
REFUSED_SECONDS = 10.0
KEPT = 10_000
"""Answers that are kept; the oldest go first."""
REVIEWS = 16
"""Reviews at a time, so that a flood of tokens is no flood on the API server."""


class TokenReviews:
    """Lets in who brings a token for the audience that the API server vouches for.

    Args:
        but_of: an issuer whose tokens are another authenticator's, and go to nobody else.
    """

    def __init__(
        self, api: KubernetesApi, audience: str, *, but_of: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._audience = audience
        self._but_of = but_of
        self._clock = clock
        self._room = asyncio.Semaphore(REVIEWS)
        self._answers: OrderedDict[bytes, tuple[float, Caller | str]] = OrderedDict()
        self._remedy = f"send a token of a ServiceAccount for the audience {audience} as 'Authorization: Bearer TOKEN'"

    async def caller(self, headers: Headers) -> Caller | Unproven:
        token = bearer(headers)
        if not names_audience(token, self._audience, but_of=self._but_of):
            return self._unproven("there is no token of a ServiceAccount for this gateway", presented=False)
        digest = hashlib.sha256(token.encode()).digest()
        found = self._kept(digest)
        if found is None:
            async with self._room:
                found = self._kept(digest) or await self._review(token)
            self._keep(digest, found)
        return found if isinstance(found, Caller) else self._unproven(found, presented=True)

    def missing(self) -> str | None:
        """Nothing: other callers do not depend on it."""
        return None

    def _unproven(self, finding: str, *, presented: bool) -> Unproven:
        return Unproven(presented=presented, finding=finding, remedy=self._remedy, refused=INVALID_TOKEN)

    def _kept(self, digest: bytes) -> Caller | str | None:
        until, answer = self._answers.get(digest, (0.0, None))
        return answer if self._clock() < until else None

    def _keep(self, digest: bytes, answer: Caller | str) -> None:
        seconds = KNOWN_SECONDS if isinstance(answer, Caller) else REFUSED_SECONDS
        self._answers[digest] = (self._clock() + seconds, answer)
        self._answers.move_to_end(digest)
        if len(self._answers) > KEPT:
            self._answers.popitem(last=False)

    async def _review(self, token: str) -> Caller | str:
        spec = {"token": token, "audiences": [self._audience]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        try:
            review = await self._api.create(PATH, body)
        except (ApiRefused, *ApiErrors) as error:
            log.error("the API server reviews no token: %s", str(error).replace(token, "TOKEN") or type(error).__name__)
            raise Problem(
                Reason.IDENTITY_UNAVAILABLE, "the API server cannot check the token now: ask again, or use an API key"
            ) from None
        return reviewed(review.get("status") or {}, self._audience)


def reviewed(status: dict[str, Any], audience: str) -> Caller | str:
    """What a TokenReview's status says: the caller, or why there is none."""
    if status.get("authenticated") is not True:
        return "the API server does not accept the token: it may have expired"
    if audience not in (status.get("audiences") or ()):  # a server that knows no audiences names none
        return "the token is for another audience"
    user = status.get("user") or {}
    name, groups = user.get("username"), user.get("groups") or []
    if not name:
        return "the API server names nobody"
    if problem := groups_problem(groups):
        return f"the account {problem}"
    return Caller(ISSUER, name, tuple(groups))


def names_audience(token: str, audience: str, *, but_of: str = "") -> bool:
    """Whether a token says that it is for this audience, of which nothing is proven yet."""
    if token.count(".") != 2:
        return False
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return False
    if claims.get("iss") == (but_of or object()):
        return False
    named = claims.get("aud")
    return audience in (named if isinstance(named, list) else [named])
