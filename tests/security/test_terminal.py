"""Escape sequences in what strangers wrote do not reach the terminal of whoever asks, validates or serves it."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

from slipway_crds.runtimeconfig import IngestReport
from slipway_runtime.dev.console import Teller
from slipway_runtime.dev.indexes import outcome_of
from slipway_runtime.dev.kinds import Outcome
from slipway_runtime.terminal import Terminal, printable

SLIPWAY = Path(sys.executable).with_name("slipway")
TITLE, CLIPBOARD, C1, TURNED = "\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x07", "\x9b2J", "\u202egpj.exe\u2066"
HOSTILE = f"{TITLE}{CLIPBOARD}{C1}{TURNED}\r\x08\x7f"
LEFT = "]0;owned]52;c;b3duZWQ=2Jgpj.exe"
FORBIDDEN = [chr(code) for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))]
FORBIDDEN += [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F)]


def found(text: str) -> set[str]:
    return {character for character in FORBIDDEN if character in text}


def test_what_is_printable_is_kept() -> None:
    kept = "Grüße, 日本 \U0001f44d 👨\u200d👩\u200d👧\tطاولة\n"
    assert printable(kept + HOSTILE + "".join(FORBIDDEN)) == kept + LEFT


def test_validate_prints_no_control_characters_and_no_lines_of_a_manifests_own(tmp_path: Path) -> None:
    name = json.dumps(f"{HOSTILE}\n\u2028valid: 1 object")
    (tmp_path / "a.json").write_text(
        f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": {name}, "labels": {{{name}: "x"}}}},'
        f' "data": {{{name}: 1}}, {name}: {name}}}'
    )
    ended = subprocess.run([SLIPWAY, "validate", "-f", tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert LEFT in ended.stdout
    assert found(ended.stdout) == set()
    assert all(line.startswith(("error ", "3 errors")) for line in ended.stdout.splitlines())


def test_dev_prints_no_control_characters_of_documents_and_errors() -> None:
    out = io.StringIO()
    teller = Teller(Terminal(file=out, force_terminal=True, color_system="truecolor"))
    report = IngestReport(
        revision="a", fingerprint="b", documents=1, chunks=1, failed=1, failures=(f"{HOSTILE}.md: not text",)
    )
    teller.warn([f"warn {HOSTILE}"])
    teller.error(f"error {HOSTILE}")
    teller.note(f"note {HOSTILE}")
    teller.made([outcome_of("index demo/zoo", report), Outcome("index demo/ape", error=HOSTILE)])
    printed = out.getvalue()
    assert printed.count(LEFT) == 5
    assert "\x1b[33mwarning\x1b[0m" in printed, "our own colours stay"
    assert found(re.sub(r"\x1b\[[0-9;]*m", "", printed)) == set()
