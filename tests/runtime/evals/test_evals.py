"""Cases are read strictly, answers scored as a reader would, and the verdict is one that a pipeline can trust."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web

from slipway_runtime.evals.asking import AgentUnusable, EvaluatedAnswer, Target, gateway_target
from slipway_runtime.evals.cases import CaseKind, CasesInvalid, CaseSpec, FollowUp, load_cases
from slipway_runtime.evals.evaluators import phrase_recall
from slipway_runtime.evals.main import evaluate, main
from slipway_runtime.evals.verdict import Verdict, as_json, judge, percentile, shortfalls
from slipway_runtime.settings import default_model_dir
from tests.support.servers import free_port

ROOT = Path(__file__).parents[3]
ANSWERABLE = {
    "name": "one",
    "question": "How hot?",
    "kind": "answerable",
    "expect": {"documents": ["tea.md"], "contains": ["eighty"]},
}


def write_cases(folder: Path, *cases: dict[str, Any], wrapped: bool = True) -> Path:
    """A file with cases, in a ConfigMap or plain."""
    content: dict[str, Any] = {"cases": list(cases)}
    if wrapped:
        content = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "cases", "namespace": "demo"},
            "data": {"cases.yaml": yaml.safe_dump(content)},
        }
    file = folder / "cases.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize("wrapped", [True, False])
def test_cases_are_read_from_a_config_map_or_a_plain_file(tmp_path: Path, wrapped: bool) -> None:
    [case] = load_cases([write_cases(tmp_path, ANSWERABLE, wrapped=wrapped)])
    assert (case.name, case.kind) == ("one", CaseKind.ANSWERABLE)


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        ([], "cases"),
        ([{**ANSWERABLE, "expect": None}], "belongs to answerable cases"),
        ([{**ANSWERABLE, "kind": "near-miss"}], "belongs to answerable cases"),
        ([{**ANSWERABLE, "kind": "hard"}], "answerable"),
        ([{**ANSWERABLE, "weight": 2}], "weight"),
        ([ANSWERABLE, ANSWERABLE], "given twice: one"),
        ([{**ANSWERABLE, "after": ["Is it tea?"]}], "belong together"),
        ([{**ANSWERABLE, "after": ["Is it tea?"], "follow_up": "unanswerable"}], "of no answerable case"),
        ([{**ANSWERABLE, "expect": {"documents": [], "contains": ["x"]}}], "documents"),
    ],
)
def test_cases_that_are_not_right_are_refused(tmp_path: Path, cases: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(CasesInvalid, match=why):
        load_cases([write_cases(tmp_path, *cases)])


def test_cases_that_are_not_yaml_are_refused_with_their_line(tmp_path: Path) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    (tmp_path / "a.yaml").write_text(f"{head}data: {{cases.yaml: 'cases: {{'}}\n")
    with pytest.raises(CasesInvalid, match=r"a\.yaml: cases\.yaml:2: this is not YAML"):
        load_cases([tmp_path])


def test_manifests_without_cases_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n")
    with pytest.raises(CasesInvalid, match="no cases"):
        load_cases([tmp_path])


def test_the_handbook_has_enough_cases_of_each_kind() -> None:
    kinds = [case.kind for case in load_cases([ROOT / "examples" / "handbook"]) if case.follow_up is None]
    assert len(kinds) >= 40
    assert min(kinds.count(kind) for kind in CaseKind) >= 10


def test_the_handbooks_cases_name_documents_that_exist() -> None:
    documents = {
        "-".join(path.relative_to(ROOT / "docs").parts) for path in (ROOT / "docs").rglob("*") if path.is_file()
    }
    cases = load_cases([ROOT / "examples" / "handbook"])
    named = {document for case in cases if case.expect for document in case.expect.documents}
    assert named <= documents


@pytest.mark.parametrize(
    ("answer", "phrases", "recall"),
    [
        ("Send `Last-Event-ID`.", ("last-event-id",), 1.0),
        ("It is **60\nseconds**.", ("60 seconds",), 1.0),
        ("It is gone.", ("deleted|gone",), 1.0),
        ("It is gone.", ("deleted", "gone"), 0.5),
        ("", ("anything",), 0.0),
    ],
)
def test_recall_is_the_share_of_phrases(answer: str, phrases: tuple[str, ...], recall: float) -> None:
    assert phrase_recall(answer, phrases) == recall


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0)])
def test_percentiles_are_values_that_occurred(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value
    assert percentile([], share) == 0.0


class Scripted:
    """A target that answers what it is told to."""

    def __init__(self, **answers: EvaluatedAnswer) -> None:
        self._answers = answers

    async def ask(self, question: str, after: Sequence[str] = ()) -> EvaluatedAnswer:
        if question == "broken":
            raise AgentUnusable("it answered 500")
        question = " ".join((*after, question))
        return self._answers.get(question, EvaluatedAnswer("Nothing.", True, (), (), 0.01))


async def verdict_of(cases: list[CaseSpec], **answers: EvaluatedAnswer) -> tuple[Verdict, Any]:
    @asynccontextmanager
    async def target() -> AsyncIterator[Target]:
        yield Scripted(**answers)

    report = await evaluate(target(), cases)
    return judge(report), report


def answerable(question: str) -> CaseSpec:
    return CaseSpec.model_validate({**ANSWERABLE, "name": question, "question": question})


def unanswerable(question: str, kind: CaseKind = CaseKind.UNANSWERABLE) -> CaseSpec:
    return CaseSpec(name=question, question=question, kind=kind)


RIGHT = EvaluatedAnswer("It is eighty degrees.", False, ("tea.md",), ("...",), 0.01)
WRONG = EvaluatedAnswer("It is ninety degrees.", False, ("cats.md",), ("...",), 0.02)


async def test_right_answers_and_abstentions_pass() -> None:
    verdict, report = await verdict_of([answerable("hot"), unanswerable("cup")], hot=RIGHT)
    assert verdict.passed
    assert {metric.name: (metric.value, metric.cases) for metric in verdict.metrics} == {
        "retrieval": (1.0, 1),
        "answer_recall": (1.0, 1),
        "abstention": (1.0, 2),
    }
    assert shortfalls(report) == []


async def test_wrong_answers_miss_their_bars_and_are_shown() -> None:
    verdict, report = await verdict_of([answerable("hot"), unanswerable("cup")], hot=WRONG, cup=WRONG)
    assert not verdict.passed
    assert {metric.name: metric.met for metric in verdict.metrics} == {
        "retrieval": False,
        "answer_recall": False,
        "abstention": False,
    }
    assert len(shortfalls(report)) == 2


async def test_an_abstention_where_there_is_an_answer_recalls_nothing() -> None:
    verdict, _ = await verdict_of([answerable("hot"), unanswerable("cup")])
    assert {metric.name: metric.value for metric in verdict.metrics}["answer_recall"] == 0.0
    assert verdict.abstention_by_kind == {"answerable": 0.0, "unanswerable": 1.0}


async def test_a_case_that_ends_in_an_error_fails_the_evaluation() -> None:
    verdict, _ = await verdict_of([answerable("hot"), unanswerable("broken", CaseKind.NEAR_MISS)], hot=RIGHT)
    assert not verdict.passed
    assert verdict.failures == ("broken: AgentUnusable: it answered 500",)


async def test_without_answerable_cases_nothing_is_passed() -> None:
    verdict, _ = await verdict_of([unanswerable("cup")])
    assert not verdict.passed


def follow_up(question: str, kind: str) -> CaseSpec:
    return answerable(question).model_copy(update={"after": ("tea",), "follow_up": FollowUp(kind)})


async def test_follow_ups_are_asked_after_their_question_and_have_a_bar_of_their_own() -> None:
    cases = [answerable("hot"), unanswerable("cup"), follow_up("it", "pronoun"), follow_up("milk", "ellipsis")]
    answers = {"hot": RIGHT, "tea it": RIGHT, "tea milk": WRONG}
    verdict, report = await verdict_of(cases, **answers)
    assert {metric.name: metric.value for metric in verdict.metrics}["follow_ups"] == 0.5
    assert {metric.name: metric.cases for metric in verdict.metrics}["retrieval"] == 1
    assert verdict.follow_ups_by_kind == {"ellipsis": 0.0, "pronoun": 1.0}
    assert not verdict.passed
    assert shortfalls(report) == ["milk (follow_ups 0.00): tea / milk -> It is ninety degrees."]


@pytest.mark.parametrize(("in_conversation", "passed"), [(RIGHT, True), (WRONG, False)])
async def test_a_change_of_topic_must_be_answered_as_well_as_alone(
    in_conversation: EvaluatedAnswer, passed: bool
) -> None:
    cases = [answerable("hot"), unanswerable("cup"), follow_up("cats", "topic-change")]
    answers = {"hot": RIGHT, "cup hot": RIGHT, "cats": RIGHT, "tea cats": in_conversation}
    verdict, _ = await verdict_of(cases, **answers)
    assert {metric.name: metric.bar for metric in verdict.metrics}["topic_change"] == 1.0
    assert verdict.passed is passed


@pytest.mark.parametrize(("in_session", "passed"), [(RIGHT, True), (WRONG, False)])
async def test_single_questions_must_be_answered_in_a_session_as_well_as_first(
    in_session: EvaluatedAnswer, passed: bool
) -> None:
    cases = [answerable("hot"), unanswerable("cup"), follow_up("cats", "topic-change")]
    answers = {"hot": RIGHT, "cup hot": in_session, "cats": RIGHT, "tea cats": RIGHT}
    verdict, _ = await verdict_of(cases, **answers)
    (metric,) = [each for each in verdict.metrics if each.name == "in_session"]
    assert (metric.bar, metric.cases) == (0.99, 2)
    assert verdict.passed is passed
    assert {each.name: each.cases for each in verdict.metrics}["answer_recall"] == 1, "single questions count once"


async def test_the_json_has_what_other_tools_need() -> None:
    verdict, report = await verdict_of([answerable("hot"), unanswerable("cup")], hot=RIGHT)
    told = orjson.loads(orjson.dumps(as_json(report, verdict)))
    assert told["passed"] is True
    [hot] = [case for case in told["cases"] if case["name"] == "hot"]
    assert hot["answer"] == RIGHT.answer
    assert hot["expect"]["documents"] == ["tea.md"]
    assert hot["scores"] == {"retrieval": 1.0, "answer_recall": 1.0, "abstention": 1.0}


async def test_a_gateway_is_asked_as_any_client_asks_it() -> None:
    seen: list[tuple[str, str | None, Any]] = []

    async def chat(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization"), await request.json()))
        if seen[-1][2]["question"] == "no":
            return web.json_response({"reason": "Unauthenticated"}, status=401)
        sources = [{"document": "tea.md", "quote": "eighty"}, {"document": "tea.md", "quote": "degrees"}]
        answer = {"answer": "eighty", "abstained": False, "sources": sources, "session_id": "s1"}
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/agents/demo/handbook/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with gateway_target(f"http://127.0.0.1:{port}/", "demo/handbook", "secret") as target:
            asked = await target.ask("How hot?")
            with pytest.raises(AgentUnusable, match="answered 401"):
                await target.ask("no")
            await target.ask("And white tea?", ["How hot?"])
    finally:
        await runner.cleanup()
    assert (asked.answer, asked.documents, asked.contexts) == ("eighty", ("tea.md",), ("eighty", "degrees"))
    assert seen[0] == ("/agents/demo/handbook/chat", "Bearer secret", {"question": "How hot?"})
    assert seen[-1][2] == {"question": "And white tea?", "session_id": "s1"}


def test_the_command_ends_with_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_MODEL_DIR", str(default_model_dir()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    report = tmp_path / "cache" / "report.json"
    report.parent.mkdir()
    (tmp_path / "agent.yaml").write_text((ROOT / "examples/handbook/agent.yaml").read_text())
    (tmp_path / "index.yaml").write_text((ROOT / "examples/handbook/vectorindex.yaml").read_text())
    tea = {
        "metadata": {"name": "handbook", "namespace": "demo"},
        "data": {"tea.md": "Green tea is brewed at eighty degrees."},
    }
    (tmp_path / "documents.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", **tea}))
    question = {**ANSWERABLE, "question": "How hot is green tea brewed?"}
    other = {"name": "cup", "question": "Who won the world cup in 1998?", "kind": "unanswerable"}
    write_cases(tmp_path, question, other)
    assert main([tmp_path], json_file=report) == 0
    assert orjson.loads(report.read_bytes())["passed"] is True
    write_cases(tmp_path, {**question, "expect": {"documents": ["tea.md"], "contains": ["ninety"]}}, other)
    assert main([tmp_path]) == 1
    assert "not passed" in capsys.readouterr().out


def test_what_cannot_be_evaluated_has_an_exit_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([write_cases(tmp_path, ANSWERABLE)]) == 2
    assert "one agent" in capsys.readouterr().out
