"""Where the local driver has the models in files of indexes: there are no volumes, so each has a folder by its name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.settings import cache_dir

VARIABLE = "SLIPWAY_SENTENCE_MODELS"


def local_models(environment: Mapping[str, str]) -> Callable[[str, EmbeddingConfig], Path]:
    """What gives the folder of an index's model: that of its name, in the folder that the environment names or in the
    user's cache."""
    given = environment.get(VARIABLE)
    folder = Path(given) if given else cache_dir() / "sentence-models"
    return lambda index, _: folder / index.partition("/")[2]
