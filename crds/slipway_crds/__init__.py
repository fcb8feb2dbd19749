"""The kinds of Slipway as pydantic models: the one source of the CRDs, of validation and of RuntimeConfig."""
