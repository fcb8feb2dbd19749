"""What is allowed and what was accepted, from policy.toml."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from scripts.audit.reports import Accepted

FILE = Path(__file__).with_name("policy.toml")


class Strict(BaseModel):
    """Misspelt keys are refused: a policy that is not read allows what it meant to forbid."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Licences(Strict):
    """Licences that what we use may have, as SPDX identifiers, and what packages write instead of those."""

    allowed: tuple[str, ...]
    names: dict[str, str]


class Line(Strict):
    """One accepted finding."""

    scan: str
    rule: str
    path: str
    why: str = Field(min_length=20)


class AuditPolicy(Strict):
    """The whole file."""

    licences: Licences
    accepted: tuple[Line, ...] = ()

    def exceptions(self) -> tuple[Accepted, ...]:
        """The accepted findings."""
        return tuple(Accepted(each.scan, each.rule, each.path, each.why) for each in self.accepted)


def read(path: Path = FILE) -> AuditPolicy:
    """The policy. Raises pydantic.ValidationError with the key that is wrong."""
    return AuditPolicy.model_validate(tomllib.loads(path.read_text()))
