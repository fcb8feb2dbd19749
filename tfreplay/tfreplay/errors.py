"""The one error that the command line turns into a message and exit status 1."""


class ReplayError(Exception):
    """Something the user must know about; the text says what to do next."""
