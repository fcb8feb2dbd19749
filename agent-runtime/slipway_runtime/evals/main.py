"""`slipway eval`: ask every case, print the verdict, and exit with it."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
from pydantic_evals import Case, Dataset
from rich.markup import escape

from slipway_crds.manifests import ManifestError
from slipway_runtime.dev.manifests import InvalidManifests, load
from slipway_runtime.dev.parts import FolderInUse
from slipway_runtime.evals.asking import (
    AgentUnusable,
    EvaluatedAnswer,
    Target,
    gateway_target,
    local_target,
    only_agent,
)
from slipway_runtime.evals.cases import CasesInvalid, CaseSpec, FollowUp, load_cases
from slipway_runtime.evals.evaluators import AnswerRecall, RightAbstention, RightDocument, RightFollowUp
from slipway_runtime.evals.verdict import Report, as_json, judge, metric_table, shortfalls
from slipway_runtime.knowledge.embedding.model_files import ModelMissing
from slipway_runtime.knowledge.ingestion.ingestion import NoSourceAvailable, NothingToIngest
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.terminal import Terminal

AT_ONCE = 4
EXPECTED = (
    AgentUnusable,
    CasesInvalid,
    FolderInUse,
    InvalidManifests,
    ManifestError,
    ModelMissing,
    NoSourceAvailable,
    NothingToIngest,
    StoreUnavailable,
    VectorsUnavailable,
)


def dataset(cases: Sequence[CaseSpec]) -> Dataset[CaseSpec, EvaluatedAnswer, CaseSpec]:
    """The cases as pydantic-evals takes them. Questions that change the topic come twice, once of them alone.

    So do single questions where there are conversations: once of them after a question from the other half of the list.
    """
    asked = [Case(name=case.name, inputs=case, metadata=case) for case in cases]
    alone = [
        Case(name=f"{case.name}-alone", inputs=case.model_copy(update={"after": ()}), metadata=case)
        for case in cases
        if case.follow_up is FollowUp.TOPIC_CHANGE
    ]
    single = [case for case in cases if case.follow_up is None]
    in_session = [
        Case(name=f"{case.name}-in-session", inputs=case.model_copy(update={"after": (other.question,)}), metadata=case)
        for case, other in zip(single, single[len(single) // 2 :] + single[: len(single) // 2], strict=True)
        if alone and case is not other
    ]
    evaluators = [RightDocument(), AnswerRecall(), RightAbstention(), RightFollowUp()]
    return Dataset(name="slipway", cases=[*asked, *alone, *in_session], evaluators=evaluators)


async def evaluate(target: AbstractAsyncContextManager[Target], cases: Sequence[CaseSpec]) -> Report:
    """Ask every case of the target and score the answers."""
    async with target as opened:
        await opened.ask("warm up")  # else the first case would be charged for loading the model

        async def ask(case: CaseSpec) -> EvaluatedAnswer:
            return await opened.ask(case.question, case.after)

        return await dataset(cases).evaluate(ask, max_concurrency=AT_ONCE, progress=False)


def main(
    files: Sequence[Path], *, url: str | None = None, key: str | None = None, json_file: Path | None = None
) -> int:
    """Evaluate the agent in the manifests, here or behind the gateway at `url`; returns the exit status.

    Args:
        files: manifests of one agent with its index and documents, and a ConfigMap with `cases.yaml`.
        url: a gateway's; without it the agent runs in this process.
        key: API key for the gateway; SLIPWAY_API_KEY if not given.
        json_file: where to write everything as JSON.
    """
    console = Terminal(soft_wrap=False, highlight=True)
    try:
        cases = load_cases(files)
        if url:
            agent = only_agent(load(files))
            target = gateway_target(url, f"{agent.namespace}/{agent.name}", key or os.environ.get("SLIPWAY_API_KEY"))
        else:
            target = local_target(files)
        report = asyncio.run(evaluate(target, cases))
    except EXPECTED as error:
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 2
    verdict = judge(report)
    for line in shortfalls(report):
        console.print(f"[yellow]short[/] {escape(line)}", soft_wrap=True, highlight=False)
    console.print(metric_table(verdict))
    for failure in verdict.failures:
        console.print(f"[red]failed[/] {escape(failure)}", soft_wrap=True)
    if json_file:
        json_file.write_bytes(orjson.dumps(as_json(report, verdict), option=orjson.OPT_INDENT_2))
    console.print("[green]passed[/]" if verdict.passed else "[red]not passed[/]: a bar is missed")
    return 0 if verdict.passed else 1
