"""Writes the gateway's OpenAPI document to `docs/reference/openapi.json`, from the application itself.

scripts/openapi.py            writes it
scripts/openapi.py --check    fails when it is stale
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.openapi.document import describe
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.settings import GatewaySettings

FILE = Path(__file__).parents[1] / "docs" / "reference" / "openapi.json"


async def document() -> str:
    """The document as text."""
    settings = GatewaySettings.model_validate({"auth_mode": "open"})
    async with assembled(settings, routes=RouteTable(), signer=IdentitySigner.generate()) as gateway:
        return json.dumps(describe(create_app(gateway)), indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when the file is stale")
    check = parser.parse_args(arguments).check
    text = asyncio.run(document())
    if not check:
        FILE.write_text(text)
        return 0
    if not FILE.is_file() or FILE.read_text() != text:
        print("stale: docs/reference/openapi.json; run `make generate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
