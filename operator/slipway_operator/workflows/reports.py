"""What a worker says of a workflow's runs. A worker is a tenant's pod, so nothing is trusted: a report that does not
fit the model is none, and of its texts nothing but printable characters is taken."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from slipway_crds.workflows.report import WorkerReport


def read_worker_report(answer: Mapping[str, Any]) -> WorkerReport | None:
    """The report in an answer; None if there is none."""
    try:
        report = WorkerReport.model_validate(answer)
    except ValidationError:
        return None
    return report.model_copy(update={"problem": _line(report.problem)})


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).strip()
