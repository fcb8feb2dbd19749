"""What an agent does without a run: both kinds of stores, a real service that searches the web, and no model."""

import pytest

from slipway_crds.runtimeconfig import SearchConfig, SearchMode, WebSearchConfig
from slipway_crds.validate import validate_documents
from slipway_runtime.agents.calling import MemberDescription
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.search_filters import Filters
from slipway_runtime.problems import Problem, Reason
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.model_server import Asked, Reply, model_server
from tests.support.models import entry as model_entry
from tests.support.scripted_host import Options, config
from tests.support.search_server import PAGES, search_server

TEA = "# Tea\n\n## Green\n\nGreen tea is brewed at eighty degrees.\n"
CATS = "# Cats\n\nCats sleep for most of the day, and drink no tea.\n"
QUERY = "How hot is the water for green tea?"


def tools(stores: Knowledge, **fields: object) -> DirectTools:
    made = config(f"{stores.namespace}/helper", Options(dsn="", public_key="")).model_copy(
        update={"knowledge": (entry(),), **fields}
    )
    dependencies = AgentDependencies(
        database=stores.database, embedder=stores.embedder, vectors=lambda *_: stores.vectors
    )
    return DirectTools(made, dependencies)


async def reason_of(call: object) -> Reason:
    with pytest.raises(Problem) as caught:
        await call  # type: ignore[misc]
    return caught.value.reason


async def test_search_and_documents(knowledge: Knowledge) -> None:
    assert await reason_of(tools(knowledge).search(QUERY, Filters())) is Reason.INDEX_NOT_READY
    assert await reason_of(tools(knowledge).document("handbook", "docs", "tea.md")) is Reason.NOT_FOUND
    await knowledge.ingestion().run(contents(tea_md=TEA, cats_txt=CATS))
    found = await tools(knowledge).search(QUERY, Filters())
    assert found[0]["document"] == "tea.md"
    assert TEA[found[0]["start"] : found[0]["end"]] == found[0]["text"]
    for filters in (Filters(document="cats.txt"), Filters(index="handbook", source="docs", document="cats.txt")):
        only = await tools(knowledge, knowledge=(entry(min_score=0),)).search(QUERY, filters)
        assert {each["document"] for each in only} == {"cats.txt"}
    assert await tools(knowledge).search(QUERY, Filters(source="other")) == []
    assert await reason_of(tools(knowledge).search(QUERY, Filters(index="other"))) is Reason.INVALID_REQUEST
    assert await tools(knowledge).document("handbook", "docs", "tea.md") == {"text": TEA, "media_type": "text/markdown"}
    assert (await tools(knowledge).document("handbook", "docs", "cats.txt"))["media_type"] == "text/plain"
    for place in (("handbook", "docs", "dogs.md"), ("other", "docs", "tea.md"), ("handbook", "other", "tea.md")):
        assert await reason_of(tools(knowledge).document(*place)) is Reason.NOT_FOUND


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_a_search_is_narrowed_by_metadata_before_it_counts(knowledge: Knowledge, mode: SearchMode) -> None:
    """Fifty documents that fit the question better do not crowd out the one that the filter leaves."""
    front = "---\nteam: {}\nyear: {}\n---\n"
    documents = {f"tea{number}_md": front.format("kitchen", number) + TEA for number in range(50)}
    documents["other_md"] = front.format("billing", 2026) + "# Notes\n\nHot green water is not for the tea of clerks.\n"
    config = knowledge.config().model_copy(update={"search": SearchConfig(mode=mode)})
    await knowledge.ingestion(config).run(contents(**documents))
    searching = tools(knowledge, knowledge=(entry(min_score=0),))
    for where in (
        {"field": "team", "op": "eq", "value": "billing"},
        {"field": "year", "op": "gt", "value": 1000},
        {"and": [{"field": "year", "op": "exists"}, {"not": {"field": "team", "op": "in", "value": ["kitchen"]}}]},
    ):
        found = await searching.search(QUERY, Filters(where=where))
        assert {each["document"] for each in found} == {"other.md"}
    assert await searching.search(QUERY, Filters(where={"field": "team", "op": "eq", "value": "none"})) == []
    with pytest.raises(Problem, match=r"filters\.where\.op: there is no operator 'like'") as caught:
        await searching.search(QUERY, Filters(where={"field": "team", "op": "like", "value": "b"}))
    assert caught.value.reason is Reason.INVALID_REQUEST


async def test_what_a_back_end_cannot_narrow_is_refused(local: Knowledge) -> None:
    """Chroma orders numbers only."""
    await local.ingestion().run(contents(tea_md=TEA))
    ordered = Filters(where={"field": "day", "op": "gt", "value": "2026-01-01"})
    with pytest.raises(Problem, match="Chroma orders numbers only") as caught:
        await tools(local).search(QUERY, ordered)
    assert caught.value.reason is Reason.INVALID_REQUEST


async def test_an_agent_without_them_has_no_such_tools(local: Knowledge) -> None:
    bare = tools(local, knowledge=())
    assert await reason_of(bare.search(QUERY, Filters())) is Reason.NOT_FOUND
    assert await reason_of(bare.web_search("kettles")) is Reason.NOT_FOUND


async def test_the_web_is_searched(local: Knowledge) -> None:
    with search_server() as server:
        searching = tools(local, web_search=WebSearchConfig(provider="searxng", base_url=server.url))
        ((title, url, text),) = PAGES
        assert await searching.web_search("kettles") == [{"title": title, "url": url, "text": text}]
        server.faults = [400]
        assert await reason_of(searching.web_search("kettles")) is Reason.REQUIRED_TOOL_FAILED


async def test_a_task_is_analysed_with_and_without_members(local: Knowledge) -> None:
    alone = await tools(local).analyze("Compare two ways to brew tea", None, ())
    assert (alone["chosen_agent"], alone["task_category"]) == ("demo/helper", "comparison")
    assert alone["alternatives"] == []
    members = [
        MemberDescription("cats", ready=True, architecture="langgraph", description="Knows all about cats."),
        MemberDescription("drinks", ready=True, architecture="langgraph", description="Knows how tea is brewed."),
    ]
    decided = await tools(local, architecture="orchestrator").analyze(QUERY, "It is about tea.", members)
    assert decided["chosen_agent"] == "demo/drinks"
    assert [each["agent"] for each in decided["alternatives"]] == ["demo/cats"]


MEMBERS = [
    MemberDescription("cats", ready=True, architecture="langgraph", description="Knows all about cats."),
    MemberDescription("drinks", ready=True, architecture="langgraph", description="Knows how tea is brewed."),
]
PASSAGES = [
    {"document": "tea.md", "heading": "Green", "text": "Green tea is brewed at eighty degrees."},
    {"document": "cats.txt", "heading": "", "text": "Cats sleep."},
]


@pytest.mark.parametrize(
    ("based_on", "steps"),
    [
        (
            "Find out how tea is brewed, then say what cats do. Finally write it down.",
            [
                ("find_out_tea", "drinks", []),
                ("say_cats", "cats", ["find_out_tea"]),
                ("write_down", "cats", ["say_cats"]),
            ],
        ),
        (
            {"steps": [{"task": "Brew tea. Then drink it."}, "Brew tea"]},
            [("brew_tea_drink", "drinks", []), ("brew_tea", "drinks", ["brew_tea_drink"])],
        ),
        (
            {"found": {"passages": PASSAGES}},
            [
                ("summarise_tea_md", "drinks", []),
                ("summarise_cats_txt", "cats", []),
                ("write_result_steps", "cats", ["summarise_tea_md", "summarise_cats_txt"]),
            ],
        ),
        ([[]], [("write_result_steps", "cats", [])]),
        ("Tea ${steps.x} and $[x]", [("tea_steps_x", "drinks", [])]),
    ],
)
async def test_a_workflow_is_planned_by_rules(local: Knowledge, based_on: object, steps: list[object]) -> None:
    made = await tools(local, knowledge=()).create_workflow(based_on, {"previous_results": {}}, MEMBERS)
    planned = made["spec"]["steps"]
    assert [(each["name"], each["agentRef"]["name"], each.get("needs", [])) for each in planned] == steps
    assert [each for each in validate_documents([made]) if not each.problem.waiting] == []


@pytest.mark.parametrize(
    "task", ["Ask someone to approve the text", "Get the approval of finance", "Wait until a person approves it"]
)
async def test_what_a_person_approves_is_an_approval(local: Knowledge, task: str) -> None:
    based_on = f"Find out how tea is brewed. {task}. Then approve of tea in a poem."
    made = await tools(local, knowledge=()).create_workflow(based_on, None, MEMBERS)
    first, approval, last = made["spec"]["steps"]
    assert approval["needs"] == [first["name"]]
    assert approval["approval"]["message"].startswith(task)
    assert "agentRef" not in approval
    assert last["agentRef"]
    assert last["needs"] == [approval["name"]]
    assert [each for each in validate_documents([made]) if not each.problem.waiting] == []


async def test_a_workflow_is_planned_by_a_model_and_repaired(local: Knowledge) -> None:
    def reply(asked: Asked) -> Reply:
        tried = len([each for each in asked.body["messages"] if each["role"] == "assistant"])
        agent, needs = (("nobody", []), ("cats", ["two"]), ("cats", []))[tried]
        step = {"name": "one", "agent": agent, "question": "What do cats do?", "needs": needs}
        return Reply(output={"name": "about-cats", "description": "On cats", "steps": [step]})

    with model_server(reply) as server:
        made = await tools(local, knowledge=(), models=(model_entry(server),)).create_workflow("Cats?", None, MEMBERS)
    assert made["metadata"] == {"name": "about-cats", "namespace": "demo"}
    assert made["spec"]["steps"] == [{"name": "one", "agentRef": {"name": "cats"}, "ask": "What do cats do?"}]


async def test_rules_plan_where_the_model_cannot(local: Knowledge) -> None:
    with model_server(lambda _: Reply(fault="server_error")) as server:
        planner = tools(local, knowledge=(), models=(model_entry(server),))
        made = await planner.create_workflow("What do cats do?", None, MEMBERS)
    assert [each["agentRef"]["name"] for each in made["spec"]["steps"]] == ["cats"]
