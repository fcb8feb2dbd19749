"""What a host says of itself when it is asked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportedReadiness:
    """What its `/readyz` names, in sentences; empty where it names nothing."""

    missing: str = ""
    """Why it is not ready."""
    warnings: str = ""
    """What is wrong with its models, ready or not."""
    plugins: str = ""
    """Which plugins around its answers are not there or fail, ready or not."""
    answers: str = ""
    """Why its answers are not written to a topic, ready or not."""


SILENT = ReportedReadiness()
