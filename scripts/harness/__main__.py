"""The command: python -m scripts.harness check|hold [FOLDER]. Status 1 if anything is wrong, 2 if it cannot look."""

import argparse
import sys
from pathlib import Path

from scripts.harness import held, schema
from scripts.harness.check import check, hold
from scripts.harness.folder import NotOneMapping


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.harness", description="Checks .harness without Harness.")
    parser.add_argument("command", choices=["check", "hold"], help="hold: write held.txt anew, if all else is right")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".harness"))
    options = parser.parse_args()
    place = schema.given()
    try:
        look = hold if options.command == "hold" else check
        problems = look(options.folder, schema.load(place) if place else None)
    except (OSError, NotOneMapping) as error:
        print(
            f"cannot check: {error}. Name a folder like .harness; {schema.VARIABLE}, if set, must hold pipeline.json."
        )
        return 2
    for problem in problems:
        print(problem)
    if place is None:
        print(f"Not checked: Harness's own schema. Name its folder in {schema.VARIABLE}; see .harness/README.md.")
    if problems:
        print(f"{len(problems)} problems. What builds on them was not looked at: mend them, and run this again.")
    elif options.command == "hold":
        print(f"Wrote {held.FILE}. Read what changed in it: git diff {held.FILE}")
    else:
        print("No problems found offline. No account has seen these files.")
    return 1 if problems else 0


sys.exit(main())
