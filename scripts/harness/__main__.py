"""The command: python -m scripts.harness check [FOLDER]. Status 1 if anything is wrong, 2 if it cannot look."""

import argparse
import sys
from pathlib import Path

from scripts.harness import schema
from scripts.harness.check import check
from scripts.harness.folder import NotOneMapping


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.harness", description="Checks .harness without Harness.")
    parser.add_argument("command", choices=["check"])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".harness"))
    options = parser.parse_args()
    place = schema.given()
    try:
        problems = check(options.folder, schema.load(place) if place else None)
    except (OSError, NotOneMapping) as error:
        print(f"cannot check: {error}. Name a folder like .harness; {schema.VARIABLE}, if set, has pipeline.json.")
        return 2
    for problem in problems:
        print(problem)
    if place is None:
        print(f"Not checked: Harness's own schema. Name its folder in {schema.VARIABLE}; see .harness/README.md.")
    if problems:
        print(f"{len(problems)} problems. What builds on them was not looked at: fix them, and run this again.")
    else:
        print("No problems found offline. No account has seen these files.")
    return 1 if problems else 0


sys.exit(main())
