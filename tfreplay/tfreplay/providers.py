"""The providers whose schemas are replayed, and where each schema comes from."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Provider:
    """A provider as Terraform addresses it."""

    name: str
    """The prefix of its resource types, and the end of its npm package's name."""
    source: str
    """As in `required_providers`."""
    nested_attributes: bool = False
    """It speaks plugin protocol 6, whose attributes may have attributes of their own."""
    by_hand: bool = False
    """No binding exists: its schema was written from its documentation, see schemas/."""

    @property
    def address(self) -> str:
        """The full source address, as Terraform uses it in a reattach configuration."""
        return f"registry.terraform.io/{self.source}"


PROVIDERS = (
    Provider("aws", "hashicorp/aws"),
    Provider("azurerm", "hashicorp/azurerm"),
    Provider("cockroach", "cockroachdb/cockroach", nested_attributes=True, by_hand=True),
    Provider("google", "hashicorp/google"),
    Provider("helm", "hashicorp/helm", nested_attributes=True),
    Provider("kubernetes", "hashicorp/kubernetes"),
    Provider("mongodbatlas", "mongodb/mongodbatlas", nested_attributes=True),
    Provider("random", "hashicorp/random"),
    Provider("snowflake", "snowflakedb/snowflake"),
    Provider("time", "hashicorp/time"),
    Provider("tls", "hashicorp/tls"),
)


def cache_home() -> Path:
    """What can be made again: the bindings, the schemas, a built terraform."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway" / "tfreplay"
