"""Writes a built module into configmap.yaml, and its digest into plugin.yaml."""

import base64
import hashlib
import re
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
CONFIG_MAP = """\
# Written by `make`, from src.
apiVersion: v1
kind: ConfigMap
metadata: {name: pii-guard, namespace: demo}
binaryData:
  pii_guard.wasm: |-
"""


def main(module: Path) -> None:
    """Pack the module."""
    content = module.read_bytes()
    lines = textwrap.wrap(base64.b64encode(content).decode(), 116)
    (HERE / "configmap.yaml").write_text(CONFIG_MAP + "".join(f"    {line}\n" for line in lines))
    plugin = HERE / "plugin.yaml"
    digest = f"digest: sha256:{hashlib.sha256(content).hexdigest()}"
    plugin.write_text(re.sub("digest: sha256:[0-9a-f]{64}", digest, plugin.read_text()))
    sys.stdout.write(f"{len(content)} bytes, {digest}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
