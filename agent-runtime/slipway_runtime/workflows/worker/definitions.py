"""The workflows of a namespace in a folder of files, which is read again when it changes."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from slipway_crds.workflows.model import Workflow
from slipway_runtime.workflows.definition import WorkflowDefinition

log = logging.getLogger(__name__)
LOOK_SECONDS = 2.0


class DefinitionFiles(Mapping[str, WorkflowDefinition]):
    """Each `NAME.json` is a Workflow with `metadata` and `spec`. One that cannot be read is left as it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[Path, bytes] = {}
        self._found: dict[Path, WorkflowDefinition] = {}
        self.look()

    def __getitem__(self, name: str) -> WorkflowDefinition:
        return next(self._of(name))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(each.workflow for each in self._found.values()))

    def __len__(self) -> int:
        return len(self._found)

    def _of(self, name: str) -> Iterator[WorkflowDefinition]:
        found = [each for each in self._found.values() if each.workflow == name]
        if not found:
            raise KeyError(name)
        return iter(found)

    def look(self) -> None:
        """Read what changed."""
        texts = {file: file.read_bytes() for file in sorted(self._folder.glob("*.json"))}
        if texts == self._texts:
            return
        self._found = {
            file: made
            for file, text in texts.items()
            if (made := self._read(file, text) or self._found.get(file)) is not None
        }
        self._texts = texts

    def _read(self, file: Path, text: bytes) -> WorkflowDefinition | None:
        try:
            return WorkflowDefinition.of(Workflow.model_validate_json(text), source=text.decode())
        except ValidationError as error:
            log.warning("a workflow cannot be read: %s", error, extra={"file": file.name})
            return None

    async def watch(self) -> None:
        """Look every two seconds, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.look()
            except OSError as error:
                log.warning("the workflows cannot be read: %s", error)
