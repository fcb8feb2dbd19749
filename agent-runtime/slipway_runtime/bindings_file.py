"""Bindings in a mounted file, which is read again when it changes: another price or key path restarts no pod."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from slipway_crds.runtimeconfig import AgentBindings, Bindings
from slipway_runtime.identity_files import ChangingFile

log = logging.getLogger(__name__)


class BindingsFile:
    """The `Bindings` in a file. Without a file there are none; a useless one leaves those before in force."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = ChangingFile(path, clock=clock)
        self._bindings = Bindings(agents={})

    def of(self, agent: str) -> AgentBindings:
        """What an agent (`namespace/name`) has now."""
        if self._file.changed():
            try:
                self._bindings = Bindings.model_validate_json(self._file.path.read_bytes())
                log.info("bindings read")
            except (OSError, ValidationError) as error:
                log.error("the changed bindings cannot be used; those before stay in force: %s", error)
        return self._bindings.agents.get(agent, AgentBindings())
