"""The `custom` architecture: code of the user's that the host imports.

The code is not ours: whatever it raises, returns or lacks becomes a sentence that says what to do, in `/readyz` before
it is asked anything, and in the answer to whoever asks it all the same.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.broken_agent import BrokenAgent
from slipway_runtime.agents.container_agent import ContainerAgent
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.agents.protocol import Agent, UsesModels
from slipway_runtime.events import Done
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run

MESSAGE_CHARACTERS = 300
"""Of an error of the user's code that is repeated."""


class CannotLoad(Exception):
    """The code gives no agent. The text says why, and what to do."""


class CustomAgent:
    """An agent of the user's, which is believed nothing. See `Agent`."""

    def __init__(self, agent: Agent, entry_point: str) -> None:
        self._agent = agent
        self._entry_point = entry_point
        self.honours = frozenset(agent.honours)

    async def run(self, run: Run) -> Done:
        """See `Agent`. Raises Problem (InternalError) if the code returns no `Done`."""
        done = await self._agent.run(run)
        if not isinstance(done, Done):
            raise Problem(
                Reason.INTERNAL_ERROR,
                f"The agent of {self._entry_point} returned {_kind(done)} instead of a Done: return the run's Done.",
            )
        return done

    async def missing(self) -> list[str]:
        """See `Agent`."""
        try:
            return [str(each) for each in await self._agent.missing()]
        except Exception as error:  # noqa: BLE001 (whatever it is, the probe has to say so)
            return [f"an answer of missing() of {self._entry_point}, which raised {_told(error)}: fix the code"]

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self._agent.model_problems() if isinstance(self._agent, UsesModels) else []

    async def close(self) -> None:
        """See `UsesModels`."""
        close = getattr(self._agent, "close", None)
        if callable(close) and inspect.isawaitable(closing := close()):
            await closing


def custom_agent(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    """The agent that a configuration's program or code is, or one that says why there is none."""
    assert config.custom is not None, "the CRD's rules want it for this architecture"
    if config.custom.port is not None:
        return ContainerAgent(config, config.custom.port)
    entry_point = config.custom.entry_point
    assert entry_point is not None, "the CRD's rules want one of the two"
    try:
        return CustomAgent(_made(entry_point, config, dependencies), entry_point)
    except CannotLoad as error:
        return BrokenAgent(f"the entry point {entry_point} of Agent {config.namespace}/{config.name}: {error}")


def _made(entry_point: str, config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    """Raises CannotLoad."""
    factory = _factory(entry_point)
    try:
        made = factory(config, dependencies)
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"the factory raised {_told(error)}: fix it") from error
    if inspect.iscoroutine(made):
        made.close()
        raise CannotLoad("the factory is a coroutine function: make it an ordinary one that returns the agent")
    lacking = [name for name in ("run", "missing") if not inspect.iscoroutinefunction(getattr(made, name, None))]
    if lacking:
        raise CannotLoad(
            f"the factory returned {_kind(made)} without `async def {lacking[0]}`: return an object that is a"
            " slipway_runtime.agents.protocol.Agent"
        )
    honours = getattr(made, "honours", None)
    if not isinstance(honours, frozenset | set) or not all(isinstance(each, str) for each in honours):
        raise CannotLoad(
            f"{_kind(made)} has no `honours`: set it to a frozenset of what the agent takes besides text, empty if"
            " nothing"
        )
    return made  # type: ignore[no-any-return]


def _factory(entry_point: str) -> Callable[..., Any]:
    """Raises CannotLoad."""
    module, _, name = entry_point.partition(":")
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise CannotLoad(
                f"there is no module {error.name}: put it into spec.custom.image, or for `slipway dev` next to the"
                " manifests or on PYTHONPATH"
            ) from error
        raise CannotLoad(f"importing it raised {_told(error)}: add that package to the image") from error
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"importing it raised {_told(error)}: fix the module") from error
    factory = getattr(imported, name, None)
    if not callable(factory):
        raise CannotLoad(f"the module has no function {name}: write the name of one after the colon")
    return factory  # type: ignore[no-any-return]


def _told(error: BaseException) -> str:
    """Class and message of an error, in one line."""
    said = " ".join(str(error).split())[:MESSAGE_CHARACTERS]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _kind(value: object) -> str:
    return "None" if value is None else f"an object of class {type(value).__name__}"
