"""What a VectorIndex needs done, by table: pure plans over what was observed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.indexes.model import VectorIndex
from slipway_crds.runtimeconfig import IngestReport
from slipway_operator.core.conditions import Trouble, timestamp
from slipway_operator.core.drift import APPLIED_ANNOTATION, FIELD_MANAGER
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import project
from slipway_operator.indexes.content import Counted
from slipway_operator.indexes.ingest import (
    GENERATION_ANNOTATION,
    SERVER_ANNOTATION,
    SOURCES_ANNOTATION,
    SPEC_ANNOTATION,
    sources_hash,
)
from slipway_operator.indexes.ingestion import REPORT_ANNOTATION, RETRY_SECONDS
from slipway_operator.indexes.occasions import Occasion
from slipway_operator.indexes.plan import LEAVE_SECONDS, IndexView, plan_index
from tests.support.operator_builds import NOW, SETTINGS, index, resource
from tests.support.operator_objects import raw

REPORT: dict[str, Any] = {
    "revision": "r1",
    "fingerprint": "f",
    "documents": 2,
    "chunks": 6,
    "failed": 0,
    "failures": [],
    "unavailable": [],
}
LABELS = {"slipway.dev/index": "handbook"}


def server(*, ready: int = 1, revision: str = "new", generation: str = "") -> dict[str, Any]:
    status = {"readyReplicas": ready, "observedGeneration": 1, "updateRevision": revision}
    metadata = {"labels": LABELS, "annotations": {GENERATION_ANNOTATION: generation}}
    return raw("StatefulSet", "handbook-index", metadata=metadata, spec={}, status=status)


def server_pod(revision: str, *, reason: str = "", ready: bool = False, ip: str = "10.0.0.8") -> dict[str, Any]:
    labels = {**LABELS, "controller-revision-hash": revision}
    container = {"state": {"waiting": {"reason": reason}} if reason else {}, "restartCount": 0}
    owners = [{"uid": "uid-handbook-index", "controller": True}]
    created = {"labels": labels, "creationTimestamp": timestamp(NOW), "ownerReferences": owners}
    readiness = {"type": "Ready", "status": str(ready), "lastTransitionTime": timestamp(NOW)}
    status = {"containerStatuses": [container], "conditions": [readiness], "podIP": ip}
    return raw("Pod", "handbook-index-0", metadata=created, status=status)


def job(
    name: str,
    *,
    spec: str = "",
    report: bool = False,
    manager: str = FIELD_MANAGER,
    generation: str = "",
    **status: Any,
) -> Any:
    """A Job of an older template. `manager` is who wrote the hash of what was applied last."""
    annotations = {
        SPEC_ANNOTATION: spec,
        GENERATION_ANNOTATION: generation,
        **({REPORT_ANNOTATION: json.dumps(REPORT)} if report else {}),
    }
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{APPLIED_ANNOTATION}": {}}}}
    managers = [
        {"manager": manager, "operation": "Apply", "fieldsV1": fields},
        {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
    ]
    metadata = {"labels": LABELS, "annotations": annotations, "managedFields": managers}
    return raw("Job", name, metadata=metadata, status=status)


def ended(kind: str, *, ago: float = 10) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": timestamp(NOW - ago)}]}


def job_pod(name: str, *, phase: str, message: str = "", ip: str = "", **state: Any) -> dict[str, Any]:
    labels = {**LABELS, "batch.kubernetes.io/job-name": name}
    terminated = {"terminated": {"exitCode": 1, "message": message}} if message else state
    status = {"phase": phase, "podIP": ip, "containerStatuses": [{"state": terminated, "restartCount": 0}]}
    return raw("Pod", f"{name}-pod", metadata={"labels": labels}, status=status)


def view(*children: dict[str, Any], version: str | None = "1", **changes: Any) -> IndexView:
    model = changes.pop("index", index())
    return IndexView(
        resource=changes.pop("resource", resource(model)),
        index=model,
        children=tuple(project(child["kind"], child) for child in children),
        source_versions={"docs": version},
        store_secret="slipway-store-1",
        **changes,
    )


def current(*children: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """Name of the Job that the view calls for, and the digest of its configuration."""
    desired = view(server(), *children, **changes).ingestion
    assert desired is not None
    return desired.name, desired.config.digest()


def plan(*children: dict[str, Any], **changes: Any) -> Plan:
    return plan_index(view(*children, **changes), SETTINGS, now=NOW)


def applied(planned: Plan) -> set[tuple[str, str]]:
    return {(each.manifest["kind"], each.manifest["metadata"]["name"]) for each in planned.apply}


def deleted(planned: Plan) -> set[str]:
    return {each.child.name for each in planned.delete}


def condition(planned: Plan, kind: str) -> dict[str, Any]:
    conditions: Any = planned.status["conditions"]
    return next((dict(each) for each in conditions if each["type"] == kind), {})


def test_the_server_comes_first_and_the_ingestion_when_it_is_ready() -> None:
    name, _ = current()
    assert ("StatefulSet", "handbook-index") in applied(plan())
    assert ("Job", name) not in applied(plan())
    assert ("Job", name) not in applied(plan(server(ready=0)))
    planned = plan(server())
    assert {("Job", name), ("ConfigMap", name)} <= applied(planned)
    assert condition(planned, "Synced")["reason"] == "Ingesting"


IN_STORE = index(backend={"pgvector": {}})
ELSEWHERE = index(backend={"mongodb": {"connectionRef": {"name": "atlas", "key": "uri"}}})


@pytest.mark.parametrize(("moved", "place"), [(IN_STORE, "the store"), (ELSEWHERE, "what Secret atlas connects to")])
def test_an_index_whose_vectors_are_elsewhere_is_ingested_at_once_and_counts_nothing(
    moved: VectorIndex, place: str
) -> None:
    desired = view(index=moved).ingestion
    assert desired is not None
    planned = plan(index=moved)
    assert {("Job", desired.name), ("ServiceAccount", "handbook-index")} <= applied(planned)
    assert not {kind for kind, _ in applied(planned)} & {"StatefulSet", "Service"}
    done = job(desired.name, spec=desired.config.digest(), report=True, **ended("Complete"))
    served = view(done, index=moved)
    planned = plan_index(served, SETTINGS, now=NOW)
    assert (condition(planned, "Ready")["status"], planned.status["phase"]) == ("True", "Ready")
    assert condition(planned, "Available")["message"] == f"The vectors are in {place}."
    assert (served.collection, served.counting, planned.status["chunks"]) == (None, False, 6)


def test_a_store_that_cannot_have_vectors_says_so() -> None:
    trouble = Trouble("ExtensionMissing", "Run: CREATE EXTENSION vector;")
    planned = plan(index=IN_STORE, vectors_trouble=trouble)
    assert not [each for each in applied(planned) if each[0] == "Job"]
    assert condition(planned, "Ready")["reason"] == condition(planned, "Stalled")["reason"] == "ExtensionMissing"
    assert condition(planned, "Available")["message"] == trouble.message


def test_a_server_goes_when_agents_have_read_elsewhere_for_a_minute() -> None:
    services = [raw(kind, "handbook-index", metadata={"labels": LABELS}) for kind in ("Service", "NetworkPolicy")]
    _, digest = current()
    before = job("handbook-ingest-old", spec=digest, report=True, **ended("Complete", ago=1000))
    desired = view(index=IN_STORE).ingestion
    assert desired is not None

    def moving(**status: Any) -> Plan:
        made = job(desired.name, spec=desired.config.digest(), report=bool(status), **status)
        return plan(server(), *services, server_pod("new", ready=True), before, made, index=IN_STORE)

    assert deleted(moving()) == set()
    assert condition(moving(), "Ready")["status"] == "True", "agents read the build on the server"
    assert "handbook-index" not in deleted(moving(**ended("Complete", ago=LEAVE_SECONDS - 1)))
    assert moving(**ended("Complete", ago=LEAVE_SECONDS - 1)).wake_after == 1
    left = moving(**ended("Complete", ago=LEAVE_SECONDS))
    assert sorted(each.child.kind for each in left.delete) == ["Job", "NetworkPolicy", "Service", "StatefulSet"]


def test_a_build_that_was_made_elsewhere_is_not_counted_on_a_new_server() -> None:
    made = job("handbook-ingest-old", report=True, **ended("Complete"))
    made["metadata"]["annotations"][SERVER_ANNOTATION] = ""
    back = view(server(), server_pod("new", ready=True), made)
    assert back.collection is None
    made["metadata"]["annotations"][SERVER_ANNOTATION] = "uid-handbook-index"
    assert view(server(), server_pod("new", ready=True), made).collection is not None


def test_policies_go_when_the_chart_wants_none() -> None:
    policies = [
        raw("NetworkPolicy", name, metadata={"labels": LABELS}) for name in ("handbook-index", "handbook-ingest")
    ]
    assert deleted(plan(server(), *policies)) == set()
    planned = plan_index(view(server(), *policies), replace(SETTINGS, network_policies=False), now=NOW)
    assert deleted(planned) == {"handbook-index", "handbook-ingest"}
    assert "NetworkPolicy" not in {kind for kind, _ in applied(planned)}


def test_a_missing_source_is_waited_for() -> None:
    planned = plan(server(), version=None)
    assert not [each for each in applied(planned) if each[0] == "Job"]
    assert condition(planned, "Ready")["reason"] == "WaitingForSource"
    assert "ConfigMap documents" in condition(planned, "Ready")["message"]
    assert (planned.status["phase"], condition(planned, "Stalled")) == ("Pending", {})


def test_a_running_ingestion_tells_how_far_it_is() -> None:
    name, digest = current()
    pod = job_pod(name, phase="Running", ip="10.0.0.9")
    planned = plan(server(), job(name, spec=digest), pod, progress="1/2 chunks")
    assert planned.status["progress"] == "1/2 chunks"
    assert planned.wake_after == 10
    assert planned.status["phase"] == "Progressing"


def test_success_is_reported_and_kept_on_the_job() -> None:
    name, digest = current()
    pod = job_pod(name, phase="Succeeded", message=json.dumps(REPORT))
    planned = plan(server(), job(name, spec=digest, **ended("Complete")), pod)
    assert (planned.status["phase"], planned.status["activeRevision"]) == ("Ready", "r1")
    assert planned.status["lastSyncedTime"] == timestamp(NOW - 10)
    (kept,) = planned.annotate
    assert IngestReport.model_validate_json(kept.annotations[REPORT_ANNOTATION]) == IngestReport(**REPORT)
    again = plan(server(), job(name, spec=digest, report=True, **ended("Complete")))
    assert again.annotate == ()
    assert again.status["activeRevision"] == "r1", "its pod is gone"


def test_a_report_that_was_lost_is_made_again() -> None:
    name, digest = current()
    assert deleted(plan(server(), job(name, spec=digest, **ended("Complete", ago=5)))) == set()
    assert deleted(plan(server(), job(name, spec=digest, **ended("Complete", ago=600)))) == {name}


@pytest.mark.parametrize(
    ("message", "reason", "words", "repeated"),
    [
        ("IngestionFailed: no space left", "IngestionFailed", "no space left", True),
        ("NoDocuments: the sources are empty.", "NoDocuments", "Put at least one document", False),
        ("Traceback\n  line\nKeyError: 'x'", "IngestionFailed", "KeyError: 'x'", True),
    ],
)
def test_a_failure_speaks_for_itself_and_is_repeated_after_a_while(
    message: str, reason: str, words: str, repeated: bool
) -> None:
    name, digest = current()

    def after(seconds: float) -> Plan:
        failed = job(name, spec=digest, failed=1, **ended("Failed", ago=seconds))
        return plan(server(), failed, job_pod(name, phase="Failed", message=message))

    early = after(10)
    assert condition(early, "Synced")["reason"] == reason
    assert words in condition(early, "Synced")["message"]
    assert condition(early, "Ready")["status"] == "False"
    assert condition(early, "Stalled") == {}
    assert deleted(early) == set()
    assert deleted(after(RETRY_SECONDS + 1)) == ({name} if repeated else set())


def test_an_older_ingestion_ends_before_the_next_begins() -> None:
    _, digest = current()
    name, _ = current(version="2")
    running = job("handbook-ingest-older", spec=digest)
    planned = plan(server(), running, job_pod("handbook-ingest-older", phase="Running"), version="2")
    assert ("Job", name) not in applied(planned)
    assert deleted(planned) == set(), "a changed source lets it finish"
    respecified = plan(server(), job("handbook-ingest-older", spec="another"), version="2")
    assert deleted(respecified) == {"handbook-ingest-older"}, "a changed spec does not"
    leaving = job("handbook-ingest-older", spec="another")
    leaving["metadata"]["deletionTimestamp"] = timestamp(NOW)
    assert ("Job", name) not in applied(plan(server(), leaving, version="2")), "its pod may still write"


def test_the_last_build_stays_until_the_next_one_is_there() -> None:
    name, digest = current()
    older = job("handbook-ingest-older", spec=digest, report=True, **ended("Complete", ago=900))
    oldest = job("handbook-ingest-oldest", spec=digest, report=True, **ended("Complete", ago=1900))
    running = job(name, spec=digest)
    planned = plan(server(), older, oldest, running, job_pod(name, phase="Running"))
    assert deleted(planned) == {"handbook-ingest-oldest"}
    assert (condition(planned, "Ready")["status"], planned.status["activeRevision"]) == ("True", "r1")
    done = plan(server(), older, job(name, spec=digest, report=True, **ended("Complete")))
    assert deleted(done) == {"handbook-ingest-older"}


def test_what_was_built_stays_in_the_status_when_its_job_was_deleted() -> None:
    status = {"activeRevision": "r0", "documents": 7, "chunks": 9, "failed": 0, "fingerprint": "f"}
    planned = plan(server(), resource=resource(index(), status=status))
    assert (planned.status["activeRevision"], planned.status["documents"]) == ("r0", 7)
    assert condition(planned, "Ready")["status"] == "True"


def test_what_agents_read_is_counted_on_a_server_that_is_ready() -> None:
    name, digest = current()
    built = job(name, spec=digest, report=True, **ended("Complete"))
    counted = view(server(), server_pod("new", ready=True), built).collection
    assert counted is not None
    assert (counted.url, counted.name, counted.chunks) == ("http://10.0.0.8:8000", "demo.handbook.r1", 6)
    assert (counted.server, counted.job) == (("uid-handbook-index-0", NOW), f"uid-{name}")
    newer = view(server(), server_pod("new", ready=True, ip="fd00::8"), built).collection
    assert newer is not None
    assert newer.url == "http://[fd00::8]:8000"
    status = {"activeRevision": "r0", "chunks": 9}
    remembered = view(server(), server_pod("new", ready=True), resource=resource(index(), status=status)).collection
    assert remembered is not None
    assert (remembered.name, remembered.chunks, remembered.job) == ("demo.handbook.r0", 9, "")
    assert view(server(), server_pod("new"), built).collection is None, "it is not ready"
    assert view(server(), server_pod("new", ready=True)).collection is None, "nothing was built"
    strangers = server_pod("new", ready=True)
    strangers["metadata"]["ownerReferences"] = []
    assert view(server(), strangers, built).collection is None


def test_an_index_that_lost_its_vectors_is_not_ready_and_is_ingested_again() -> None:
    name, digest = current()
    built = job(name, spec=digest, report=True, **ended("Complete", ago=3600))
    pod = server_pod("new", ready=True)
    planned = plan(server(), pod, built, counted=Counted(vectors=0))
    assert (condition(planned, "Ready")["status"], condition(planned, "Ready")["reason"]) == ("False", "IndexLost")
    assert (condition(planned, "Synced")["status"], condition(planned, "Stalled")) == ("False", {})
    (renewed,) = planned.annotate
    assert (renewed.child.name, renewed.annotations) == ("handbook-index", {GENERATION_ANNOTATION: "1"})
    assert plan(server(), pod, built, counted=Counted(vectors=6)).annotate == ()

    again = view(server(generation="1"), built).ingestion
    assert again is not None
    assert again.name != name
    renewing = plan(server(generation="1"), pod, built)
    assert ("Job", again.name) in applied(renewing)
    assert condition(renewing, "Ready")["reason"] == "IndexLost", "until it is over"
    assert condition(renewing, "Reconciling")["reason"] == "Ingesting"
    assert deleted(renewing) == set()
    over = job(again.name, spec=digest, report=True, generation="1", **ended("Complete"))
    done = plan(server(generation="1"), pod, built, over)
    assert condition(done, "Ready")["status"] == "True"
    assert deleted(done) == {name}


def test_a_loss_that_cannot_be_made_good_says_what_is_missing() -> None:
    name, digest = current()
    built = job(name, spec=digest, report=True, **ended("Complete", ago=3600))
    lost = server(generation="1")
    assert "ConfigMap documents" in condition(plan(lost, built, version=None), "Ready")["message"]
    unavailable = condition(plan(lost, built, store_problem="Postgres is unavailable."), "Ready")
    assert (unavailable["reason"], "Postgres is unavailable." in unavailable["message"]) == ("IndexLost", True)


@pytest.mark.parametrize(("before", "ready"), [("True", "True"), ("False", "False")])
def test_an_index_is_ready_once_it_is_counted_and_stays_ready_when_the_operator_starts(before: str, ready: str) -> None:
    name, digest = current()
    built = job(name, spec=digest, report=True, **ended("Complete"))
    observed = {"type": "Ready", "status": before, "reason": "x", "message": "x", "lastTransitionTime": "x"}
    known = resource(index(), status={"conditions": [observed]})
    pod = server_pod("new", ready=True)
    planned = plan(server(), pod, built, counted=Counted(pending=True), resource=known)
    assert condition(planned, "Ready")["status"] == ready
    assert condition(plan(server(), server_pod("new"), built, resource=known), "Ready")["status"] == ready
    assert condition(plan(server(), pod, built, counted=Counted(), resource=known), "Ready")["status"] == "True"


def test_a_job_is_not_changed_by_an_upgrade_unless_it_cannot_run() -> None:
    name, digest = current()
    running = job(name, spec=digest)
    pulling = job_pod(name, phase="Pending", waiting={"reason": "ImagePullBackOff", "message": "nowhere"})
    pulling["metadata"]["creationTimestamp"] = timestamp(NOW)
    assert deleted(plan(server(), running, pulling)) == set(), "there is time left"
    assert ("Job", name) not in applied(plan(server(), running, pulling)), "an API server refuses a new template"
    tampered = job(name, spec=digest, manager="kubectl-edit")
    assert ("Job", name) in applied(plan(server(), tampered, pulling)), "who changed it is put right"
    pulling["metadata"]["creationTimestamp"] = timestamp(NOW - SETTINGS.rollout_deadline - 1)
    planned = plan(server(), running, pulling)
    assert deleted(planned) == {name}
    assert condition(planned, "Stalled")["reason"] == "ImagePullFailed"


def test_a_server_pod_of_an_older_template_that_cannot_run_is_replaced() -> None:
    stuck = server_pod("old", reason="CrashLoopBackOff")
    assert deleted(plan(server(ready=0, revision="new"), stuck)) == {"handbook-index-0"}
    assert deleted(plan(server(ready=0, revision="old"), stuck)) == set(), "a new one would be no better"
    assert deleted(plan(server(ready=0, revision="new"), server_pod("old"))) == set(), "it is only starting"


def test_a_server_whose_pod_is_refused_is_stalled_with_the_refusal() -> None:
    quota = 'create Pod handbook-index-0 failed error: pods "handbook-index-0" is forbidden: exceeded quota'
    planned = plan(server(ready=0), refusals={"uid-handbook-index": quota})
    for kind in ("Stalled", "Ready", "Available"):
        assert condition(planned, kind)["reason"] == "PodsRefused"
    assert quota in condition(planned, "Stalled")["message"]
    assert planned.status["phase"] == "Stalled"
    assert planned.wake_after == 30
    assert condition(plan(server(ready=0)), "Stalled") == {}, "the refusal is over"


def test_the_server_and_the_running_job_are_asked_about_while_they_have_no_pod() -> None:
    name, digest = current()

    def asked(*children: dict[str, Any]) -> list[str]:
        return [each.name for each in view(*children).without_pods(NOW + 60)]

    assert asked(server(ready=0)) == ["handbook-index"]
    assert asked(server(ready=0), server_pod("new")) == []
    assert asked(server(ready=1)) == []
    assert asked(server(ready=1), job(name, spec=digest)) == [name]
    assert asked(server(ready=1), job(name, spec=digest, report=True, **ended("Complete"))) == []


def test_an_ingestion_whose_pod_is_refused_is_stalled_while_the_last_build_serves() -> None:
    name, digest = current()
    older = job("handbook-ingest-older", spec=digest, report=True, **ended("Complete", ago=900))
    planned = plan(server(), older, job(name, spec=digest), refusals={f"uid-{name}": "exceeded quota"})
    assert condition(planned, "Stalled")["reason"] == "PodsRefused"
    assert "exceeded quota" in condition(planned, "Stalled")["message"]
    assert (condition(planned, "Ready")["status"], planned.status["phase"]) == ("True", "Degraded")
    assert deleted(planned) == {name}, "its template is an older one, which may be why"


def test_a_store_that_is_away_is_waited_for_only_before_the_first_build() -> None:
    planned = plan(server(), store_problem="Postgres is unavailable")
    assert condition(planned, "Ready")["reason"] == "WaitingForStore"
    assert condition(planned, "Stalled") == {}
    name, digest = current()
    built = job(name, spec=digest, report=True, **ended("Complete"))
    assert condition(plan(server(), built, store_problem="Postgres is unavailable"), "Ready")["status"] == "True"


def test_a_source_that_cannot_be_read_is_named_and_tried_again_later() -> None:
    name, digest = current()
    report = REPORT | {"unavailable": ["guide: its server cannot be reached"]}
    pod = job_pod(name, phase="Succeeded", message=json.dumps(report))
    planned = plan(server(), job(name, spec=digest, **ended("Complete")), pod)
    assert condition(planned, "Ready")["status"] == "True"
    synced = condition(planned, "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "SourceUnavailable")
    assert synced["message"].startswith("guide: its server cannot be reached. What the index has of it stays.")
    assert planned.status["phase"] == "Degraded"
    assert "lastSyncedTime" not in planned.status
    before = resource(index(), status={"lastSyncedTime": "2026-01-01T10:00:00Z"})
    later = plan(server(), job(name, spec=digest, **ended("Complete")), pod, resource=before)
    assert later.status["lastSyncedTime"] == "2026-01-01T10:00:00Z", "the lag goes on growing"
    assert planned.wake_after == RETRY_SECONDS - 10
    assert name in deleted(plan(server(), job(name, spec=digest, **ended("Complete", ago=RETRY_SECONDS + 1)), pod))


def test_what_is_due_is_ingested_after_the_one_that_runs_and_stays_in_sync_meanwhile() -> None:
    name, digest = current()
    due = Occasion(due=NOW - 5, next=NOW + 55)
    again, _ = current(occasion=due)
    running = job(name, spec=digest)
    assert ("Job", again) not in applied(plan(server(), running, job_pod(name, phase="Running"), occasion=due))
    done = job(name, spec=digest, **ended("Complete"))
    done["metadata"]["annotations"][SOURCES_ANNOTATION] = sources_hash({"docs": "1"})
    pod = job_pod(name, phase="Succeeded", message=json.dumps(REPORT))
    planned = plan(server(), done, pod, occasion=due)
    assert ("Job", again) in applied(planned)
    assert condition(planned, "Synced")["status"] == "True"
    assert (planned.status["phase"], planned.status["nextSyncTime"]) == ("Ready", timestamp(NOW + 55))
    assert planned.wake_after is not None
    assert planned.wake_after <= 55


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"schedule": {"cron": "0 0 31 2 *"}}, "InvalidSchedule"),
        ({"schedule": {"cron": "0 * * * *", "timeZone": "Mars/Olympus"}}, "InvalidSchedule"),
        ({"egress": [{"cidr": "10.0.0.0/99", "ports": [443]}]}, "InvalidEgress"),
        ({"documents": {"store": {"sqlite": {}}}}, "InvalidDocumentStore"),
    ],
)
def test_what_only_an_edit_fixes_is_stalled(spec: dict[str, Any], reason: str) -> None:
    planned = plan(index=index(**spec))
    assert (condition(planned, "Stalled")["status"], condition(planned, "Stalled")["reason"]) == ("True", reason)


def test_texts_in_a_file_are_refused_and_nothing_is_ingested() -> None:
    made = index(documents={"store": {"sqlite": {}}})
    assert view(server(), index=made).ingestion is None
    assert "Write postgres: {}" in condition(plan(server(), index=made), "Stalled")["message"]
