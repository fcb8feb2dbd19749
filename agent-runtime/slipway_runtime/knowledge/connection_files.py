"""The files that say how to reach what an index connects to: each a key of a Secret."""

from pathlib import Path


class ConnectionUnreadable(Exception):
    """There is no such file; the text says which Secret is missing."""


class ConnectionFiles:
    """Reads files of connections again when they change.

    Args:
        folder: of a namespace; None if there is none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._texts: dict[Path, tuple[tuple[int, int], str]] = {}
        """What the files held, by when they were last written."""

    def read(self, name: str) -> str:
        """What a file holds now.

        Args:
            name: see `contract.connection_file`.

        Raises:
            ConnectionUnreadable: if it is not there.
        """
        if self._folder is None:
            raise ConnectionUnreadable(f"there is no folder of connections for {name}")
        file = self._folder / name
        try:
            found = file.stat()
            known = self._texts.get(file)
            if known is None or known[0] != (found.st_ino, found.st_mtime_ns):
                known = self._texts[file] = ((found.st_ino, found.st_mtime_ns), file.read_text().strip())
        except (OSError, UnicodeDecodeError) as error:
            index, secret, key = name.split("/")
            said = f"the connection of the index {index} cannot be read: is there a Secret {secret} with the key {key}?"
            raise ConnectionUnreadable(f"{said} ({type(error).__name__})") from error
        return known[1]
