"""What the operator makes of builds that are refused, of those that are kept, and of one that is served again."""

import json
from typing import Any

import pytest

from slipway_crds.meta import SERVE_ANNOTATION
from slipway_operator.core.conditions import timestamp
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import project
from slipway_operator.indexes.ingest import EXPIRED_ANNOTATION
from slipway_operator.indexes.ingestion import REPORT_ANNOTATION, expired_of
from slipway_operator.indexes.occasions import Occasion, occasion_of
from slipway_operator.indexes.plan import LEAVE_SECONDS, plan_index
from tests.operator.indexes.test_plan import IN_STORE, REPORT, condition, deleted, ended, job, server, view
from tests.support.operator_builds import NOW, SETTINGS, index
from tests.support.operator_objects import raw

MEASURED = {"recall": 0.81, "hit_rate": None}
REFUSED = {**REPORT, "revision": "r2", "acceptance": MEASURED, "refused": ["recall@10 is 0.810: lower minRecall"]}


def done(name: str, report: dict[str, Any], *, ago: float = 10, expired: str = "") -> dict[str, Any]:
    """A Job that has ended well."""
    made: dict[str, Any] = job(name, **ended("Complete", ago=ago))
    made["metadata"]["annotations"] |= {REPORT_ANNOTATION: json.dumps(report), EXPIRED_ANNOTATION: expired}
    return made


def planned(*children: dict[str, Any], report: dict[str, Any], ago: float = 10, **changes: Any) -> Plan:
    """What is done when the wanted ingestion has reported this."""
    desired = view(server(), **changes).ingestion
    assert desired is not None
    return plan_index(view(*children, done(desired.name, report, ago=ago), **changes), SETTINGS, now=NOW)


def test_a_build_that_is_refused_is_reported_with_its_figures_and_not_made_again() -> None:
    before = done("handbook-ingest-old", REPORT, ago=900)
    refused = planned(server(), before, report=REFUSED, ago=100_000)
    synced = condition(refused, "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "NotAccepted")
    assert synced["message"] == (
        "The revision r2 is not accepted, agents go on with r1: recall@10 is 0.810: lower minRecall."
        " It is tried again after a change, or with another value of the annotation slipway.dev/ingest."
    )
    assert (refused.status["activeRevision"], refused.status["phase"]) == ("r1", "Degraded")
    assert condition(refused, "Ready")["status"] == "True"
    assert refused.status["acceptance"] == {"revision": "r2", "accepted": False, "recall": "0.810"}
    assert deleted(refused) == set(), "it is neither repeated, nor is what agents read forgotten"


def test_a_first_build_that_is_refused_is_not_served() -> None:
    refused = planned(server(), report=REFUSED)
    assert (condition(refused, "Ready")["status"], condition(refused, "Ready")["reason"]) == ("False", "NotAccepted")
    assert "agents have none to read" in condition(refused, "Ready")["message"]


def test_the_figures_of_what_agents_read_stay_in_the_status() -> None:
    accepted = planned(server(), report={**REPORT, "acceptance": {"recall": 0.9876, "hit_rate": 1.0}})
    figures = {"revision": "r1", "accepted": True, "recall": "0.988", "hitRate": "1.000"}
    assert accepted.status["acceptance"] == figures


def kept(*, until: float, own_server: bool = True) -> dict[str, Any]:
    return {**REPORT, "previous": {"revision": "r0", "until": until, "own_server": own_server}}


def test_a_server_stays_as_long_as_a_former_revision_is_kept_on_it() -> None:
    service = raw("Service", "handbook-index", metadata={"labels": {"slipway.dev/index": "handbook"}})

    def after(report: dict[str, Any]) -> Plan:
        return planned(server(), service, report=report, ago=LEAVE_SECONDS, index=IN_STORE)

    staying = after(kept(until=NOW + 30))
    assert deleted(staying) == set()
    assert staying.status["previous"] == {"revision": "r0", "keptUntil": timestamp(NOW + 30)}
    assert staying.wake_after == 30
    assert deleted(after({**REPORT, "own_server": True})) == set(), "agents read it there, as they were told to"
    assert deleted(after(kept(until=NOW + 30, own_server=False))) == {"handbook-index"}
    assert deleted(after(kept(until=NOW))) == {"handbook-index"}


def test_one_ingestion_removes_a_former_revision_whose_time_is_over() -> None:
    before = [project("Job", done("handbook-ingest-old", kept(until=NOW)))]
    assert expired_of(before, now=NOW - 1) == ""
    expired = expired_of(before, now=NOW)
    assert occasion_of(index(), created="", now=NOW, expired=expired).name
    removing = view(server(), occasion=Occasion(expired=expired)).ingestion
    assert removing is not None
    assert removing.name != view(server()).ingestion.name  # type: ignore[union-attr]
    after = [project("Job", done(removing.name, REPORT, expired=expired))]
    assert expired_of(after, now=NOW + 1000) == expired, "so that the name of the Job stays, and it runs once"


@pytest.mark.parametrize("reason", ["RevisionNotKept", "NoDocuments"])
def test_what_only_an_edit_ends_is_not_tried_again(reason: str) -> None:
    desired = view(server()).ingestion
    assert desired is not None
    failed = job(desired.name, failed=1, **ended("Failed", ago=100_000))
    labels = {"slipway.dev/index": "handbook", "batch.kubernetes.io/job-name": desired.name}
    terminated = {"terminated": {"exitCode": 1, "message": f"{reason}: remove the annotation"}}
    status = {"phase": "Failed", "containerStatuses": [{"state": terminated, "restartCount": 0}]}
    pod = raw("Pod", f"{desired.name}-pod", metadata={"labels": labels}, status=status)
    result = plan_index(view(server(), failed, pod), SETTINGS, now=NOW)
    assert condition(result, "Synced")["reason"] == reason
    assert deleted(result) == set()


def test_a_former_revision_that_is_served_is_said_so() -> None:
    again = planned(server(), report={**REPORT, "revision": "r0", "served": "previous"})
    synced = condition(again, "Synced")
    assert (synced["status"], synced["reason"]) == ("True", "ServingFormerRevision")
    assert f"the annotation {SERVE_ANNOTATION} says" in synced["message"]
    assert (again.status["activeRevision"], again.status["phase"]) == ("r0", "Ready")
