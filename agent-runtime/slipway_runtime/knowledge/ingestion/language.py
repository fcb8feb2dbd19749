"""In which language a text is."""

from functools import cache
from typing import Any

SURE = 0.9
"""Probability from which on the identifier is believed."""
LETTERS_MIN = 40
"""Letters of a text that say nothing about its language yet."""
SAMPLE = 8_000
"""Characters that are looked at."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # takes a second and 60 MB

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str, *, default: str = "en") -> str:
    """The language of a text by its ISO 639-1 code.

    Args:
        default: for a text that is too short, or of no language in particular.
    """
    sample = text[:SAMPLE]
    if sum(map(str.isalpha, sample)) < LETTERS_MIN:
        return default
    language, probability = _identifier().classify(sample)
    return str(language) if probability >= SURE else default
