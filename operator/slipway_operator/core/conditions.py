"""What a status says: conditions as kstatus reads them, and the same in one word.

Ready is always there; Reconciling and Stalled only while True, and never both, since kstatus takes the first it finds.
`lastTransitionTime` moves only when a condition's status flips, so that an unchanged status is the same to the byte
and is not written again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slipway_crds.meta import Phase
from slipway_operator.core.manifests import JsonObject

MESSAGE_MAX = 4096


@dataclass(frozen=True)
class Statement:
    """One condition before it is dated."""

    type: str
    holds: bool | None
    """None: unknown."""
    reason: str
    message: str


@dataclass(frozen=True)
class Trouble:
    """Something that only a person can fix."""

    reason: str
    message: str


def timestamp(epoch_seconds: float) -> str:
    """As Kubernetes writes times: UTC, whole seconds."""
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(timestamp: str) -> float:
    """Epoch seconds of a Kubernetes time."""
    return datetime.fromisoformat(timestamp).timestamp()


def standing(
    ready: Statement, *, trouble: Trouble | None, progress: Statement | None, waiting: bool = False
) -> tuple[list[Statement], Phase]:
    """Ready, with Reconciling or Stalled in addition, and the phase that says the same.

    Args:
        ready: the Ready condition.
        trouble: becomes Stalled.
        progress: becomes Reconciling, unless there is trouble.
        waiting: not ready because something else is missing, rather than because pods are starting.
    """
    statements = [ready]
    if trouble is not None:
        statements.append(Statement("Stalled", True, trouble.reason, trouble.message))
        return statements, "Degraded" if ready.holds else "Stalled"
    if progress is not None:
        statements.append(progress)
        return statements, "Pending" if waiting else "Progressing"
    if ready.holds:
        return statements, "Ready"
    return statements, "Pending"


def conditions(
    statements: Sequence[Statement], *, observed: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[JsonObject]:
    """The dated conditions: a status that did not flip keeps the time that it has."""
    before = {condition.get("type"): condition for condition in observed}
    dated: list[JsonObject] = []
    for statement in statements:
        status = {True: "True", False: "False", None: "Unknown"}[statement.holds]
        old = before.get(statement.type)
        kept = old is not None and old.get("status") == status and old.get("lastTransitionTime")
        dated.append(
            {
                "type": statement.type,
                "status": status,
                "reason": statement.reason,
                "message": shorten(statement.message),
                "lastTransitionTime": kept or timestamp(now),
                "observedGeneration": generation,
            }
        )
    return dated


def paused_status(observed: Mapping[str, Any], *, generation: int, now: float) -> JsonObject:
    """Everything as it was, but for saying that nobody looks: what was true may be so no longer."""
    kept = [
        Statement(
            str(condition.get("type")),
            {"True": True, "False": False}.get(str(condition.get("status"))),
            str(condition.get("reason")),
            str(condition.get("message")),
        )
        for condition in observed.get("conditions") or []
        if condition.get("type") not in ("Paused", "Reconciling", "Stalled")
    ]
    if not kept:
        kept = [Statement("Ready", None, "Paused", "Paused before it was looked at.")]
    said = 'Nothing is changed while the annotation slipway.dev/paused is "true"; remove it to go on.'
    kept.append(Statement("Paused", True, "Paused", said))
    # The generation that was acted on stays: a spec that was edited meanwhile has not been.
    seen = int(observed.get("observedGeneration", -1))
    return {
        **{key: value for key, value in observed.items() if key not in ("conditions", "phase")},
        "observedGeneration": seen,
        "phase": "Paused",
        "conditions": conditions(kept, observed=observed.get("conditions") or [], generation=max(seen, 0), now=now),
    }


def patch(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> JsonObject | None:
    """The merge patch from one status to the other; None if they are the same. Absent fields are removed."""
    changes: JsonObject = {key: value for key, value in desired.items() if observed.get(key) != value}
    changes |= {key: None for key in observed if key not in desired}
    return {key: value for key, value in changes.items() if not (value is None and key not in observed)} or None


def shorten(message: str) -> str:
    """Within what the CRD takes."""
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
