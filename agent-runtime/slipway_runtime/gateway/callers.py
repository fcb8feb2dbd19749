"""Who is calling: the contract of authenticators, and how several of them are asked one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_runtime.identity import ANONYMOUS, Caller

Headers = list[tuple[bytes, bytes]]
"""A request's headers as ASGI has them: names in small letters."""


@dataclass(frozen=True)
class Unproven:
    """Why a request proves nothing to an authenticator.

    Args:
        presented: whether it brought something that the authenticator refused, and not nothing at all.
        finding: what was found in the request, without any secret.
        remedy: what to send instead.
    """

    presented: bool
    finding: str
    remedy: str

    @property
    def cause(self) -> str:
        """For the metric and the log."""
        return "unknown key" if self.presented else "no key"


class Authenticator(Protocol):
    """Decides who a request is from. It may ask others, such as an API server, so it is awaited."""

    async def caller(self, headers: Headers) -> Caller | Unproven:
        """The verified caller, or why there is none.

        Raises:
            Problem: if it cannot know now. The caller may ask again.
        """
        ...

    def missing(self) -> str | None:
        """What a person must fix before anybody can be let in; None if all is well."""
        ...


class Open:
    """Lets everybody in as `anonymous`. Only ever chosen by an explicit setting."""

    async def caller(self, headers: Headers) -> Caller | Unproven:
        return ANONYMOUS

    def missing(self) -> str | None:
        return None


class AuthenticatorChain:
    """Asks authenticators in their order. The first that knows the caller decides."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def caller(self, headers: Headers) -> Caller | Unproven:
        refusals: list[Unproven] = []
        for authenticator in self._authenticators:
            found = await authenticator.caller(headers)
            if isinstance(found, Caller):
                return found
            refusals.append(found)
        return Unproven(
            presented=any(refusal.presented for refusal in refusals),
            finding="; ".join(refusal.finding for refusal in refusals),
            remedy=", or ".join(refusal.remedy for refusal in refusals),
        )

    def missing(self) -> str | None:
        return "; ".join(filter(None, (each.missing() for each in self._authenticators))) or None
