"""A2A 1.0: a run is a task, and a session a context.

`docs/a2a.md` has the table of what becomes of each event. The modules are imported when the protocol is first used: the
SDK is large, and a gateway that nobody asks by it stays small.
"""
