"""The skin in which agents ask agents: an `Ask` as it is, and the host's own events."""

from collections.abc import Mapping

from slipway_runtime.protocols.ask import Ask, read_ask
from slipway_runtime.protocols.chat import Chat


class Inner(Chat):
    """See `Skin`. What an agent may not say of itself is taken out: the grant is the gateway's to give."""

    def parse(self, body: bytes, headers: Mapping[str, str]) -> Ask:
        return read_ask(body).model_copy(update={"grant": None, "session": None, "begins_session": None})
