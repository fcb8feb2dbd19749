"""What a scan comes back with, and what follows from it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AuditFinding:
    """One thing that a scanner did not like."""

    rule: str
    path: str
    line: int
    says: str

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.line}: {self.rule}: {self.says}"
            if self.line
            else f"{self.path}: {self.rule}: {self.says}"
        )


@dataclass(frozen=True)
class Accepted:
    """A finding that was looked at by a person and stays: from policy.toml."""

    scan: str
    rule: str
    path: str
    """Where: a file, or a package for licences."""
    why: str

    def covers(self, scan: str, finding: AuditFinding) -> bool:
        """Whether this is about that finding."""
        return (self.scan, self.rule, self.path) == (scan, finding.rule, finding.path)


@dataclass(frozen=True)
class AuditReport:
    """The result of one scan that was done."""

    scan: str
    looked_at: str
    """What was looked at, with a number, so that an empty scan is seen: `214 Python files`."""
    findings: tuple[AuditFinding, ...] = ()
    accepted: int = 0

    @property
    def passed(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class NotDone:
    """A scan that was not done here."""

    scan: str
    why: str
    where: str
    """Who does it instead, or the command that makes it possible."""


Outcome = AuditReport | NotDone


def judge(report: AuditReport, accepted: Iterable[Accepted]) -> AuditReport:
    """Take out what is accepted, and complain of what is accepted and no longer found."""
    ours = [each for each in accepted if each.scan == report.scan]
    left = [finding for finding in report.findings if not any(each.covers(report.scan, finding) for each in ours)]
    stale = [each for each in ours if not any(each.covers(report.scan, finding) for finding in report.findings)]
    left += [
        AuditFinding(each.rule, each.path, 0, "accepted in policy.toml, but not found any more: remove it")
        for each in stale
    ]
    return AuditReport(report.scan, report.looked_at, tuple(left), len(report.findings) + len(stale) - len(left))


def status(outcomes: Sequence[Outcome]) -> int:
    """The exit status: 1 if anything was found. What was not done does not fail, and is listed."""
    return int(any(isinstance(each, AuditReport) and not each.passed for each in outcomes))
