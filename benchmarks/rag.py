"""Retrieval, extraction and abstention on questions that nobody here wrote: CLAPnq (github.com/primeqa/clapnq).

    benchmarks/rag.py FOLDER [--json FILE]

The folder holds `answerable.jsonl` and `unanswerable.jsonl`, rows as published. Every passage of both is a document
of one index, made by the same ingestion as any other; every question is asked of the same retrieval and the same choice
of sentences as an agent's, with the default `topK` and no threshold.

- hit@1, hit@5: the question's own passage is the first, or among the documents of the five chunks found;
- answer-token recall, ROUGE-L: the answer against the expected one that it fits best;
- abstention AUC: how well the score separates answerable from unanswerable questions, whose passage is in the index.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rouge_score.rouge_scorer import RougeScorer

from slipway_crds.runtimeconfig import IngestConfig, KnowledgeConfig, SourceConfig
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.retrieval.extractive import answer_parts, choose, quotes
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.settings import cache_dir, default_model_dir
from slipway_runtime.store.opening import open_database

BARS = {"hit@1": 0.94, "hit@5": 0.99, "answer-token recall": 0.70, "ROUGE-L": 0.50, "abstention AUC": 0.85}
CONFIG = IngestConfig(
    namespace="benchmarks", index="clapnq", max_tokens=200, overlap=20, sources=(SourceConfig(name="clapnq"),)
)
KNOWLEDGE = KnowledgeConfig(name="clapnq", index="clapnq", top_k=5, min_score=0.0)
WORD = re.compile(r"\w+")

Row = dict[str, Any]


@dataclass(frozen=True)
class CorpusQuestion:
    """One row of the data."""

    text: str
    passages: frozenset[str]
    """Names of the documents made of its passages."""
    answers: tuple[str, ...]
    """Expected ones; empty for an unanswerable question."""


@dataclass(frozen=True)
class QuestionOutcome:
    """What became of a question."""

    documents: tuple[str, ...]
    answer: str
    score: float
    seconds: float


def read_rows(folder: Path) -> Iterator[tuple[Row, bool]]:
    """The rows of both files, and whether each is answerable."""
    for name in ("answerable", "unanswerable"):
        with (folder / f"{name}.jsonl").open() as file:
            for line in file:
                yield json.loads(line), name == "answerable"


def document_of(passage: Row) -> tuple[str, bytes]:
    """A passage as a Markdown document: its name and its bytes."""
    content = f"# {passage['title']}\n\n{passage['text']}\n".encode()
    return f"{hashlib.sha256(content).hexdigest()[:16]}.md", content


def read_data(folder: Path) -> tuple[dict[str, bytes], list[CorpusQuestion]]:
    """The documents by name, and the questions."""
    documents: dict[str, bytes] = {}
    questions: list[CorpusQuestion] = []
    for row, answerable in read_rows(folder):
        own = dict(map(document_of, row["passages"]))
        documents.update(own)
        answers = [output["answer"] for output in row["output"] if output["answer"]] if answerable else []
        questions.append(CorpusQuestion(text=row["input"], passages=frozenset(own), answers=tuple(answers)))
    return documents, questions


async def ask_all(
    folder: Path, documents: dict[str, bytes], questions: Sequence[CorpusQuestion]
) -> list[QuestionOutcome]:
    """Ingest the documents, as far as they are not, and ask every question."""
    async with AsyncExitStack() as stack:
        embedder = MiniLM(Path(os.environ.get("SLIPWAY_MODEL_DIR") or default_model_dir()))
        stack.push_async_callback(embedder.close)
        database = await open_database(f"sqlite:///{folder}/store.db")
        stack.push_async_callback(database.close)
        vectors = await open_embedded_chroma(folder / "chroma")
        stack.push_async_callback(vectors.close)
        with Progress(transient=True) as progress:
            task = progress.add_task("ingesting", total=None)
            await Ingestion(
                CONFIG,
                database=database,
                vectors=vectors,
                embedder=embedder,
                progress=lambda each: progress.update(task, completed=each.done, total=each.total),
            ).run([ItemsSource("clapnq", documents)])
            retriever = Retriever("benchmarks", database=database, embedder=embedder, vectors=lambda *_: vectors)
            await embedder.load()
            tracked = progress.track(questions, description="asking")
            return [await ask(retriever, question) for question in tracked]


async def ask(retriever: Retriever, question: CorpusQuestion) -> QuestionOutcome:
    """One question, as an agent answers it."""
    began = time.perf_counter()
    found = await retriever.retrieve(question.text, [KNOWLEDGE])
    candidates = quotes(found)
    answer = "".join(answer_parts(choose(candidates)))
    return QuestionOutcome(
        documents=tuple(dict.fromkeys(one.chunk.document for one in found)),
        answer=answer,
        score=candidates[0].score if candidates else 0.0,
        seconds=time.perf_counter() - began,
    )


def token_recall(answer: str, expected: str) -> float:
    """Share of the expected answer's words that the answer has, each as often as it is expected."""
    desired, given = (Counter(WORD.findall(text.casefold())) for text in (expected, answer))
    return sum((desired & given).values()) / max(sum(desired.values()), 1)


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that an answerable question scores above an unanswerable one (ties count half)."""
    above = np.subtract.outer(np.array(positive), np.array(negative))
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def measure(questions: Sequence[CorpusQuestion], outcomes: Sequence[QuestionOutcome]) -> dict[str, float]:
    """The five figures."""
    rouge = RougeScorer(["rougeL"], use_stemmer=True)
    pairs = [(question, outcome) for question, outcome in zip(questions, outcomes, strict=True) if question.answers]
    return {
        "hit@1": mean(bool(outcome.documents[0] in question.passages) for question, outcome in pairs),
        "hit@5": mean(bool(question.passages & set(outcome.documents)) for question, outcome in pairs),
        "answer-token recall": mean(
            max(token_recall(outcome.answer, answer) for answer in question.answers) for question, outcome in pairs
        ),
        "ROUGE-L": mean(
            max(rouge.score(answer, outcome.answer)["rougeL"].fmeasure for answer in question.answers)
            for question, outcome in pairs
        ),
        "abstention AUC": area_under_curve(
            [outcome.score for _, outcome in pairs],
            [outcome.score for question, outcome in zip(questions, outcomes, strict=True) if not question.answers],
        ),
    }


def mean(values: Iterator[float]) -> float:
    """The average."""
    return float(np.mean(list(values)))


def print_table(console: Console, figures: dict[str, float], latency: dict[str, float]) -> None:
    """The figures next to their bars."""
    table = Table("metric", "value", "bar", "", title="extractive answers on CLAPnq")
    for name, value in figures.items():
        met = "[green]met[/]" if value >= BARS[name] else "[red]missed[/]"
        table.add_row(name, f"{value:.3f}", f"{BARS[name]:.2f}", met)
    table.add_row("latency p50 / p95", f"{latency['p50'] * 1e3:.1f} / {latency['p95'] * 1e3:.1f} ms", "", "")
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 if every bar is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and every answer there")
    parsed = parser.parse_args(arguments)
    try:
        documents, questions = read_data(parsed.folder)
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: give the folder of CLAPnq's rows (github.com/primeqa/clapnq)")
        return 2
    work = cache_dir() / "benchmarks" / "clapnq"
    work.mkdir(parents=True, exist_ok=True)
    outcomes = asyncio.run(ask_all(work, documents, questions))
    figures = measure(questions, outcomes)
    seconds = [outcome.seconds for outcome in outcomes]
    latency = {"p50": float(np.percentile(seconds, 50)), "p95": float(np.percentile(seconds, 95))}
    print_table(Console(), figures, latency)
    if parsed.json:
        rows = [{"question": q.text, **asdict(o)} for q, o in zip(questions, outcomes, strict=True)]
        report = {"figures": figures, "bars": BARS, "latency_seconds": latency, "questions": rows}
        parsed.json.write_text(json.dumps(report, indent=1))
    return 0 if all(value >= BARS[name] for name, value in figures.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
