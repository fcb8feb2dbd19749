"""Sessions whose ids are made from ones that clients chose, such as AG-UI threads: the first question begins them."""

from dataclasses import replace

from slipway_runtime.store.leases import Work
from slipway_runtime.store.runs import Question, SessionExists
from slipway_runtime.store.session_stores import SessionStore
from slipway_runtime.store.sessions import SessionNotFound


async def begin(sessions: SessionStore, question: Question, *, owner: str, lease: float) -> Work:
    """See `SessionStore.begin`. A session that may be begun and is not there, or not any more, is new.

    Of two questions that begin one session at a time, the second one comes after the first, or finds it busy.
    """
    if not (question.ask.begins_session and question.session_id):
        return await sessions.begin(question, owner=owner, lease=lease)
    while True:
        try:
            return await sessions.begin(question, owner=owner, lease=lease)
        except SessionNotFound:
            await sessions.clear(question.session_id, agent=question.agent, caller=question.caller)
        try:
            return await sessions.begin(replace(question, new_session=True), owner=owner, lease=lease)
        except SessionExists:
            continue
