"""The MCP server of an image: a container beside the connector, and what is mounted for it alone."""

from typing import cast

import orjson

from slipway_crds.plugins.image import McpImage
from slipway_crds.plugins.model import Plugin
from slipway_crds.podsettings import PodSettings
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import container, read_only, resources

NAME = "plugin"
TMP = "plugin-tmp"
SECRETS_DIR = "/etc/slipway/secrets"
RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
OWNER_AND_GROUP = 0o440


def pinned(plugin: Plugin, image: McpImage) -> str:
    """The image with its digest, which no registry can exchange."""
    return f"{image.name}@{plugin.spec.digest}" if plugin.spec.digest else image.name


def program_container(settings: BuildSettings, plugin: Plugin) -> JsonObject | None:
    """The container, if there is an image. It gets no credential that the plugin's calls are made with."""
    image = plugin.spec.mcp.image if plugin.spec.mcp else None
    if image is None:
        return None
    probe = {"tcpSocket": {"port": image.port}}
    own = {"command": list(image.command or ()), "args": list(image.args or ())}
    program = container(
        settings,
        name=NAME,
        image=pinned(plugin, image),
        ports={"mcp": image.port},
        env=[
            {"name": "PORT", "value": str(image.port)},
            {"name": "SLIPWAY_PLUGIN_CONFIG", "value": orjson.dumps(plugin.spec.config or {}).decode()},
            *gateway_url(settings, plugin),
            *({"name": each.name, "value": each.value} for each in image.env),
        ],
        mounts=[read_only(_volume(at), f"{SECRETS_DIR}/{name}") for at, name in enumerate(_secrets(plugin))],
        resources=_resources(image),
        more={
            "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
            "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
            **{name: words for name, words in own.items() if words},
        },
    )
    # A folder of its own, so that neither container reads what the other one leaves there.
    mounted = cast(list[dict[str, object]], program["volumeMounts"])
    program["volumeMounts"] = [{**each, "name": TMP} if each["name"] == "tmp" else each for each in mounted]
    return program


def gateway_url(settings: BuildSettings, plugin: Plugin) -> list[JsonObject]:
    """Where a plugin asks agents, as an environment variable; none if it may ask none."""
    may_ask = plugin.spec.permissions and plugin.spec.permissions.agents
    return [{"name": "SLIPWAY_GATEWAY_URL", "value": settings.gateway_url}] if may_ask else []


def program_volumes(plugin: Plugin) -> list[JsonObject]:
    """What the container mounts: the Secrets that it may have, which are optional so that it says what is missing."""
    secrets: list[JsonObject] = [
        {"name": _volume(at), "secret": {"secretName": name, "defaultMode": OWNER_AND_GROUP, "optional": True}}
        for at, name in enumerate(_secrets(plugin))
    ]
    return [{"name": TMP, "emptyDir": {}}, *secrets]


def _secrets(plugin: Plugin) -> tuple[str, ...]:
    permissions = plugin.spec.permissions
    return tuple(dict.fromkeys(permissions.secrets)) if permissions else ()


def _volume(position: int) -> str:
    return f"secret-{position}"


def _resources(image: McpImage) -> dict[str, dict[str, str]]:
    given = image.resources
    return resources(RESOURCES, PodSettings(resources=given) if given else None)
