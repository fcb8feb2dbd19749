"""Language models: providers, fallback, what they cost. An agent asks through `Models`.

Provider SDKs are imported when the first model of a provider is made, never with this package.
"""

from slipway_runtime.models.agent_models import Models
from slipway_runtime.models.watching import Watcher, watching

__all__ = ["Models", "Watcher", "watching"]
