"""The `custom` architecture: code that is an agent, and code that is none."""

from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import AgentConfig, CustomConfig
from slipway_runtime.agents.broken_agent import BrokenAgent
from slipway_runtime.agents.factory import make_agent
from slipway_runtime.agents.protocol import Agent, close
from slipway_runtime.problems import Problem, Reason
from tests.support.knowledge import Knowledge
from tests.support.model_agents import ask, dependencies_of

WHOLE = """
from slipway_runtime.events import Done

class Mine:
    honours = frozenset({"data"})
    closed = False
    def __init__(self, config):
        self.config = config
    async def run(self, run):
        return Done(answer=f"{self.config.instructions} {run.request.context}", finish="stop", sources=())
    async def missing(self):
        return ["a database"] if self.config.name == "waiting" else []
    async def close(self):
        type(self).closed = True

def make(config, dependencies):
    assert dependencies.embedder
    return Mine(config)
"""
BARE = "class Bare:\n    honours = frozenset()\n    async def missing(self): return []\n"
ALSO = "    async def run(self, run): return None\n"
MAKE = "def make(config, dependencies): return Bare()\n"


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> "Code":
    monkeypatch.syspath_prepend(tmp_path)
    return Code(tmp_path, f"mine_{abs(hash(request.node.name))}")


class Code:
    """A module in a folder that code is imported from, named for its test: modules are imported once a process."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder = folder
        self.module = module

    def agent(self, source: str, knowledge: Knowledge, *, entry_point: str = "", name: str = "mine") -> Agent:
        (self.folder / f"{self.module}.py").write_text(source)
        config = AgentConfig(
            namespace="demo",
            name=name,
            architecture="custom",
            knowledge=(),
            session_ttl_seconds=60,
            session_max_turns=5,
            in_flight=2,
            request_timeout_seconds=30,
            instructions="Hello",
            custom=CustomConfig(entry_point=entry_point or f"{self.module}:make"),
        )
        return make_agent(config, dependencies_of(knowledge))


@pytest.mark.proves("Agent.custom.entryPoint")
async def test_the_code_is_the_agent(code: Code, local: Knowledge) -> None:
    agent = code.agent(WHOLE, local)
    assert agent.honours == {"data"}
    assert await agent.missing() == []
    assert (await ask(agent, "Who?", context={"a": 1}))[0].answer == "Hello {'a': 1}"
    await close(agent)
    assert type(agent._agent).closed  # type: ignore[attr-defined]


async def test_it_says_what_it_waits_for(code: Code, local: Knowledge) -> None:
    assert await code.agent(WHOLE, local, name="waiting").missing() == ["a database"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise ValueError('no\\nconfiguration')", "importing it raised ValueError: no configuration: fix the module"),
        ("raise SystemExit(3)", "importing it raised SystemExit: 3: fix the module"),
        ("def", "importing it raised SyntaxError: "),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name': add that"),
        ("x = 1", "the module has no function make"),
        ("make = 3", "the module has no function make"),
        ("def make(config): return 1", "the factory raised TypeError: "),
        ("def make(config, dependencies): raise SystemExit", "the factory raised SystemExit: fix it"),
        ("async def make(config, dependencies): return 1", "the factory is a coroutine function"),
        ("def make(config, dependencies): return None", "the factory returned None without `async def run`"),
        (BARE + MAKE, "returned an object of class Bare without `async def run`"),
        (BARE + "    def run(self, run): return 1\n" + MAKE, "without `async def run`"),
        (BARE.replace("frozenset()", "'data'") + ALSO + MAKE, "an object of class Bare has no `honours`"),
    ],
)
async def test_code_that_is_no_agent_is_named_with_what_to_do(
    code: Code, local: Knowledge, source: str, says: str
) -> None:
    agent = code.agent(source, local)
    assert isinstance(agent, BrokenAgent)
    (sentence,) = await agent.missing()
    assert sentence.startswith(f"the entry point {code.module}:make of Agent demo/mine: ")
    assert says in sentence
    assert "\n" not in sentence
    with pytest.raises(Problem, match="The agent cannot be asked") as raised:
        await ask(agent, "Who?")
    assert raised.value.reason is Reason.INTERNAL_ERROR


async def test_a_module_that_is_not_there_is_said_where_to_put(code: Code, local: Knowledge) -> None:
    for entry_point in ("not_there:make", "not_there.at_all:make"):
        (sentence,) = await code.agent("", local, entry_point=entry_point).missing()
        assert "there is no module not_there: put it into spec.custom.image" in sentence


async def test_what_the_code_gives_is_not_believed(code: Code, local: Knowledge) -> None:
    agent = code.agent(BARE + ALSO + MAKE, local)
    with pytest.raises(Problem, match="returned None instead of a Done"):
        await ask(agent, "Who?")


async def test_a_missing_that_raises_is_something_missing(code: Code, local: Knowledge) -> None:
    source = BARE.replace("return []", "raise OSError('gone')") + ALSO + MAKE
    (sentence,) = await code.agent(source, local).missing()
    assert "which raised OSError: gone" in sentence
