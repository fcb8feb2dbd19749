"""`slipway verify-image`: whether the image of a Plugin is signed by one of its keys. It asks no network.

What is signed of an image is a small text that names the image's digest, as `cosign generate` prints it, and not the
image itself. It has to name the digest that the Plugin runs.
"""

import os
import sys
from pathlib import Path

import orjson

from slipway_crds import contract
from slipway_crds.plugins.connector import CREDENTIALS_DIR, ConnectorConfig
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.types import PINNED
from slipway_runtime.plugins.loaded import PluginNotLoaded
from slipway_runtime.plugins.signing import IMAGE_TYPE
from slipway_runtime.plugins.verification import check_signature


def check_image(plugin: Plugin, folder: Path) -> None:
    """See that the image of a Plugin is signed.

    Args:
        folder: has the keys of ConfigMaps.

    Raises:
        PluginNotLoaded: if it is not, with what to do.
    """
    signature, digest = plugin.spec.signature, image_digest(plugin)
    if signature is None:
        return
    payload = (signature.payload or "").encode()
    check_signature(plugin, payload, folder)
    signed = _signed_digest(payload)
    if signed != digest:
        raise PluginNotLoaded(
            contract.DIGEST_MISMATCH,
            f"the payload of the signature names {signed or 'no image'}, and the Plugin runs {digest}: take digest, "
            "payload and value of the same release",
        )


def image_digest(plugin: Plugin) -> str:
    """The digest of the image that a Plugin runs."""
    image = plugin.spec.mcp.image if plugin.spec.mcp else None
    name = image.name if image else ""
    return plugin.spec.digest or (f"sha256:{name.partition(PINNED)[2]}" if PINNED in name else "")


def _signed_digest(payload: bytes) -> str:
    """Empty for a text that is none of cosign's."""
    try:
        critical = orjson.loads(payload)["critical"]
        kind, digest = critical["type"], critical["image"]["docker-manifest-digest"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(digest) if kind == IMAGE_TYPE else ""


def main() -> None:
    """Entry of `slipway verify-image`. Its last words are the reason and what to do."""
    plugin = ConnectorConfig.model_validate_json(os.environ["SLIPWAY_CONNECTOR"]).plugin()
    try:
        check_image(plugin, Path(CREDENTIALS_DIR))
    except PluginNotLoaded as error:
        sys.exit(f"{error.reason}: {error}")
