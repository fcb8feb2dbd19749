"""For whom the gateway makes an identity when it calls a Plugin's connector."""


def audience(key: str) -> str:
    """The audience for the connector of `namespace/name`: never that of an agent, whose names have no colon."""
    return f"plugin:{key}"
