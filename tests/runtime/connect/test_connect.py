"""`slipway connect`: the documented form of each assistant, and what is there already stays."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.connect.assistants import FORMATS, Assistant

KEY_ENV = "SLIPWAY_API_KEY"
KEY = "slipway-a-key-that-nobody-may-write"
URL = "https://agents.example.org"
SERVER = f"{URL}/agents/demo/handbook/mcp"
INPUT = {
    "type": "promptString",
    "id": "slipway-api-key",
    "description": "API key of the Slipway gateway",
    "password": True,
}
DOCUMENTED: dict[Assistant, tuple[str, dict[str, Any]]] = {
    Assistant.COPILOT: (
        "home/.copilot/mcp-config.json",
        {
            "mcpServers": {
                "slipway-demo-handbook": {
                    "type": "http",
                    "tools": ["*"],
                    "url": SERVER,
                    "headers": {"X-API-Key": "${SLIPWAY_API_KEY}"},
                }
            }
        },
    ),
    Assistant.CURSOR: (
        "project/.cursor/mcp.json",
        {"mcpServers": {"slipway-demo-handbook": {"url": SERVER, "headers": {"X-API-Key": "${env:SLIPWAY_API_KEY}"}}}},
    ),
    Assistant.AMAZON_Q: (
        "project/.amazonq/mcp.json",
        {
            "mcpServers": {
                "slipway-demo-handbook": {
                    "type": "http",
                    "url": SERVER,
                    "headers": {"X-API-Key": "${env:SLIPWAY_API_KEY}"},
                }
            }
        },
    ),
    Assistant.CLAUDE_CODE: (
        "project/.mcp.json",
        {
            "mcpServers": {
                "slipway-demo-handbook": {
                    "type": "http",
                    "url": SERVER,
                    "headers": {"X-API-Key": "${SLIPWAY_API_KEY}"},
                }
            }
        },
    ),
    Assistant.VSCODE: (
        "project/.vscode/mcp.json",
        {
            "servers": {
                "slipway-demo-handbook": {
                    "type": "http",
                    "url": SERVER,
                    "headers": {"X-API-Key": "${input:slipway-api-key}"},
                }
            },
            "inputs": [INPUT],
        },
    ),
}


def slipway(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with a home and a project of the test."""
    for name in ("home", "project"):
        (folder / name).mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("COPILOT_HOME", "SLIPWAY_URL")}
    environment = {**kept, "HOME": str(folder / "home"), KEY_ENV: KEY}
    command: list[str | Path] = [Path(sys.executable).with_name("slipway"), "connect", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder / "project", env=environment, check=False)


def connect(folder: Path, assistant: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    chosen = ("--url", URL, "--agent", "demo/handbook", "--key-env", KEY_ENV)
    return slipway(folder, assistant, *chosen, *arguments)


def test_every_assistant_has_its_documented_form() -> None:
    assert set(DOCUMENTED) == set(FORMATS) == set(Assistant)


@pytest.mark.parametrize("assistant", Assistant)
def test_what_is_printed_is_what_is_written_and_has_no_key(tmp_path: Path, assistant: Assistant) -> None:
    place, wanted = DOCUMENTED[assistant]
    printed = connect(tmp_path, assistant)
    assert (printed.returncode, json.loads(printed.stdout)) == (0, wanted)
    assert not (tmp_path / place).exists()
    written = connect(tmp_path, assistant, "--write")
    assert written.returncode == 0, written.stderr
    assert json.loads((tmp_path / place).read_text()) == wanted
    for text in (printed.stdout, printed.stderr, written.stderr, (tmp_path / place).read_text()):
        assert KEY not in text


@pytest.mark.parametrize("assistant", Assistant)
def test_what_is_there_stays_and_is_kept_apart_once_more(tmp_path: Path, assistant: Assistant) -> None:
    place, wanted = DOCUMENTED[assistant]
    file, field = tmp_path / place, FORMATS[assistant].servers
    former: dict[str, Any] = {
        "inputs": [{"type": "promptString", "id": "other", "description": "Ö"}],
        field: {"other": {"command": "npx", "args": ["x"]}, "slipway-demo-handbook": {"url": "http://old"}},
        "unknown": {"a": [1, None]},
    }
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(former))
    file.chmod(0o600)
    assert connect(tmp_path, assistant, "--write").returncode == 0
    found = json.loads(file.read_text())
    assert found[field] == {**former[field], **wanted[field]}
    assert found["unknown"] == former["unknown"]
    assert found["inputs"] == former["inputs"] + wanted.get("inputs", [])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.with_name(file.name + ".before-slipway").read_text()) == former
    assert len(list(file.parent.iterdir())) == 2, "no draft is left"


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "project" / ".vscode" / "mcp.json"
    connect(tmp_path, "vscode", "--write")
    first = file.stat()
    again = connect(tmp_path, "vscode", "--write")
    assert (again.returncode, file.stat().st_ino, file.stat().st_mtime_ns) == (0, first.st_ino, first.st_mtime_ns)
    assert list(file.parent.iterdir()) == [file]


def test_the_copy_is_of_the_file_before_the_first_change(tmp_path: Path) -> None:
    file = tmp_path / "project" / ".mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {}, "own": 1}')
    for url in (URL, "https://other.example.org"):
        assert slipway(tmp_path, "claude-code", "--url", url, "--write").returncode == 0
    assert json.loads(file.read_text())["mcpServers"]["slipway"]["url"] == "https://other.example.org/mcp"
    assert file.with_name(".mcp.json.before-slipway").read_text() == '{"mcpServers": {}, "own": 1}'


@pytest.mark.parametrize(
    ("url", "key", "warned"),
    [
        ("http://agents.example.org", True, True),
        ("http://agents.example.org", False, False),
        ("http://127.0.0.1:8080", True, False),
        (URL, True, False),
    ],
)
def test_a_key_over_plain_http_is_warned_of(tmp_path: Path, url: str, key: bool, warned: bool) -> None:
    printed = slipway(tmp_path, "cursor", "--url", url, *(("--key-env", KEY_ENV) if key else ()))
    assert printed.returncode == 0
    assert ("plain http" in printed.stderr) is warned


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  // my servers\n  "servers": {}\n}', "comments"),
        ('{"servers": {},}', "comments"),
        ("[]", "no JSON object"),
        ('{"servers": []}', "servers is no object"),
        ('{"inputs": {}}', "inputs is no list"),
    ],
)
def test_a_file_that_would_lose_something_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "project" / ".vscode" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    refused = connect(tmp_path, "vscode", "--write")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert file.read_text() == text
    assert list(file.parent.iterdir()) == [file]


def test_a_link_still_leads_to_the_file(tmp_path: Path) -> None:
    shared = tmp_path / "shared.json"
    shared.write_text("{}")
    link = tmp_path / "project" / ".mcp.json"
    link.parent.mkdir()
    link.symlink_to(shared)
    assert connect(tmp_path, "claude-code", "--write").returncode == 0
    assert link.is_symlink()
    assert json.loads(shared.read_text()) == DOCUMENTED[Assistant.CLAUDE_CODE][1]


def test_without_an_agent_it_is_the_server_of_all(tmp_path: Path) -> None:
    printed = slipway(tmp_path, "cursor", "--url", f"{URL}/")
    assert json.loads(printed.stdout) == {"mcpServers": {"slipway": {"url": f"{URL}/mcp"}}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "agents.example.org"), "--url"),
        (("--url", f"https://{KEY}@agents.example.org"), "--key-env"),
        (("--agent", "handbook"), "--agent"),
        (("--key-env", KEY), "not the key itself"),
    ],
)
def test_odd_arguments_are_refused(tmp_path: Path, arguments: tuple[str, str], said: str) -> None:
    refused = slipway(tmp_path, "cursor", *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert KEY not in refused.stderr
