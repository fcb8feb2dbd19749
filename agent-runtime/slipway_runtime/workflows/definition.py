"""What a run is pinned to: the spec of its workflow as it was when the run was started."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from slipway_crds.fields import parse_duration
from slipway_crds.workflows.model import Workflow, WorkflowSpec, WorkflowStep
from slipway_crds.workflows.needs import before


@dataclass(frozen=True)
class WorkflowDefinition:
    """A workflow's steps and schemas.

    Args:
        workflow: `namespace/name`.
        text: its spec as JSON, which the store keeps.
        source: the text of the file that it was read from; empty if it was not.
    """

    workflow: str
    text: str
    source: str = field(default="", compare=False)

    @classmethod
    def of(cls, workflow: Workflow, *, source: str = "") -> "WorkflowDefinition":
        """Of an object."""
        name = f"{workflow.metadata.namespace}/{workflow.metadata.name}"
        return cls(name, workflow.spec.model_dump_json(by_alias=True, exclude_none=True), source)

    @property
    def namespace(self) -> str:
        """Of the workflow and of every agent that it may call."""
        return self.workflow.partition("/")[0]

    @cached_property
    def digest(self) -> str:
        """The same for the same spec of the same workflow."""
        return hashlib.sha256(f"{self.workflow}\n{self.text}".encode()).hexdigest()

    @cached_property
    def spec(self) -> WorkflowSpec:
        """The spec."""
        return WorkflowSpec.model_validate_json(self.text)

    @cached_property
    def steps(self) -> Mapping[str, WorkflowStep]:
        """The steps by name, in the order of the manifest."""
        return {step.name: step for step in self.spec.steps}

    @cached_property
    def earlier(self) -> Mapping[str, frozenset[str]]:
        """By step: all that have ended before it begins."""
        return before(self.spec.steps)

    def after(self, name: str) -> frozenset[str]:
        """The steps that cannot have begun before this one ended."""
        return frozenset(each for each, earlier in self.earlier.items() if name in earlier)

    @cached_property
    def timeout(self) -> float:
        """Seconds that a run may take."""
        return seconds(self.spec.limits.timeout)


def seconds(duration: str) -> float:
    """A duration of a manifest in seconds."""
    return parse_duration(duration).total_seconds()
