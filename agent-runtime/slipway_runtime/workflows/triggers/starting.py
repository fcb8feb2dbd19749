"""Runs that no person starts."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from slipway_runtime.statements import workflow_caller
from slipway_runtime.workflows.records import NewWorkflowRun


def run_for(workflow: str, trigger: str, given: Mapping[str, Any], *, by: str, key: str) -> NewWorkflowRun:
    """A run of a workflow, `namespace/name`, that a trigger starts: once for each key.

    Args:
        by: the kind of trigger.
    """
    namespace, _, name = workflow.partition("/")
    named = hashlib.sha256(orjson.dumps([workflow, by, trigger, key])).hexdigest()[:32]
    return NewWorkflowRun(workflow, workflow_caller(namespace, name).owner, given, run_id=named, started_by=by)
