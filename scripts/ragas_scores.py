"""The handbook's answers by ragas's metrics that need no model: a second opinion on `slipway eval`.

    slipway eval -f examples/handbook --json eval.json
    PYTHON scripts/ragas_scores.py eval.json [--json FILE]

PYTHON is the one of the environment made from requirements/ragas.txt: ragas wants older versions of what the rest uses.
Scores are over the answerable cases. The cases name several right documents of which any will do, so context recall
and precision are low by nature; compare them from run to run.
"""

import argparse
import importlib
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Case = dict[str, Any]


def expected(case: Case) -> list[str]:
    """The phrases that the answer must have; of `a|b` the one that it has, else the first."""
    answer = case["answer"].casefold()
    phrases = [phrase.split("|") for phrase in case["expect"]["contains"]]
    return [next((choice for choice in choices if choice.casefold() in answer), choices[0]) for choices in phrases]


def metrics() -> dict[str, Any]:
    """The metrics by the names they are reported under."""
    ragas = importlib.import_module("ragas.metrics")  # not installed where this file is type-checked
    return {
        "context recall (documents)": ragas.IDBasedContextRecall(),
        "context precision (documents)": ragas.IDBasedContextPrecision(),
        "ROUGE-L recall of the phrases": ragas.RougeScore(rouge_type="rougeL", mode="recall"),
        "chrF against the phrases": ragas.ChrfScore(),
    }


def sample(case: Case) -> Any:
    """A case as ragas takes it."""
    return importlib.import_module("ragas").SingleTurnSample(
        user_input=case["question"],
        response=case["answer"],
        reference=" ".join(expected(case)),
        retrieved_context_ids=case["documents"],
        reference_context_ids=case["expect"]["documents"],
    )


def presence(cases: Sequence[Case]) -> float:
    """ragas's StringPresence, phrase by phrase."""
    ragas = importlib.import_module("ragas")
    metric = importlib.import_module("ragas.metrics").StringPresence()
    scores = [
        float(metric.single_turn_score(ragas.SingleTurnSample(reference=phrase.casefold(), response=text)))
        for case in cases
        for text in [case["answer"].casefold()]
        for phrase in expected(case)
    ]
    return sum(scores) / len(scores)


def measure(cases: Sequence[Case]) -> dict[str, float]:
    """The average of each metric."""
    samples = [sample(case) for case in cases]
    figures = {
        name: sum(float(metric.single_turn_score(each)) for each in samples) / len(samples)
        for name, metric in metrics().items()
    }
    return {**figures, "string presence of the phrases": presence(cases)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="what `slipway eval --json` wrote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parsed = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # ragas and its dependencies warn of their own future
    every = json.loads(parsed.report.read_text())["cases"]
    asked_again = [case for case in every if case.get("after") and not case.get("follow_up")]
    cases = [case for case in every if case["kind"] == "answerable" and case not in asked_again]
    if not cases:
        print(f"{parsed.report} has no answerable cases", file=sys.stderr)
        return 2
    figures = measure(cases)
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}")
    if parsed.json:
        parsed.json.write_text(json.dumps({"cases": len(cases), "figures": figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
