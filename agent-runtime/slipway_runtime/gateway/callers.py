"""Who is calling: the contract of authenticators, and how several of them are asked one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_runtime.identity import ANONYMOUS, MAX_GROUPS, Caller

Headers = list[tuple[bytes, bytes]]
"""A request's headers as ASGI has them: names in small letters."""

UNKNOWN_KEY = "unknown key"
GROUPS_BYTES = 8 * 1024
"""Of all groups of a caller together: hosts get them in a header."""


@dataclass(frozen=True)
class Unproven:
    """Why a request proves nothing to an authenticator.

    Args:
        presented: whether it brought something that the authenticator refused, and not nothing at all.
        finding: what was found in the request, without any secret.
        remedy: what to send instead.
        refused: what was presented, for the metric and the log.
    """

    presented: bool
    finding: str
    remedy: str
    refused: str = UNKNOWN_KEY

    @property
    def cause(self) -> str:
        """For the metric and the log."""
        return self.refused if self.presented else "no key"


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

    @property
    def open(self) -> bool:
        """Whether it lets everybody in."""
        return any(isinstance(each, Open) for each in self._authenticators)

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
            # A token is an unknown key too, for whoever looks for keys.
            refused=next(
                (each.refused for each in refusals if each.presented and each.refused != UNKNOWN_KEY), UNKNOWN_KEY
            ),
        )

    def missing(self) -> str | None:
        return "; ".join(filter(None, (each.missing() for each in self._authenticators))) or None


def _most_telling(refusals: Sequence[Unproven]) -> str:
    """What a request brought. A token is an unknown key too, for whoever looks for keys."""
    found = (each.refused for each in refusals if each.presented and each.refused != UNKNOWN_KEY)
    return next(found, UNKNOWN_KEY)


def groups_problem(groups: Sequence[str]) -> str | None:
    """Why a caller cannot have these groups; None if it can."""
    if len(groups) > MAX_GROUPS or sum(len(each.encode()) + 3 for each in groups) > GROUPS_BYTES:
        return (
            f"has more than {MAX_GROUPS} groups or {GROUPS_BYTES} bytes: let the provider send only those of use here"
        )
    return None
