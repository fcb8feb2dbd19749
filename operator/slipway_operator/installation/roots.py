"""Secrets of the installation that the leading operator makes: generated, created, and read as mounted files.

The operator may create Secrets and not read them. After a successful create it uses what it generated. If the Secret is
there already, it waits for its own volume of that Secret, which is `optional`: the pod starts without it, and the
kubelet fills it in within about a minute.
"""

import asyncio
import base64
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway_crds.meta import COMPONENT_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import SECRET
from slipway_operator.store.passwords import ROOT_BYTES

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
CREATE_AGAIN_SECONDS = 30.0
"""While the volume stays empty: the Secret that was there may have been deleted since."""
FILL_SECONDS = 300.0
"""How long the volume may take to show a Secret that was just created; after that it was deleted again."""
ROOT_SECRET = "slipway-root"
ROOT_KEY = "root"
STORE_SECRET = "slipway-postgres"
STORE_KEY = "dsn"


class UselessRootError(Exception):
    """A Secret of the installation holds something else than the operator would have made; says what to do."""


class MadeSecret:
    """One of these Secrets, of which the operator's pod mounts one key in a folder."""

    def __init__(
        self,
        kube: KubeClient,
        *,
        namespace: str,
        name: str,
        component: str,
        file: Path,
        generate: Callable[[], Mapping[str, bytes]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`file` is the mounted key, named like the key; `generate` makes the values of all keys."""
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._component = component
        self._file = file
        self.generate = generate
        self._clock = clock
        self._created: tuple[bytes, float] | None = None
        """What this process created, and when, until the volume has it."""

    def mounted(self) -> bytes | None:
        """The key as the kubelet wrote it; None while there is no Secret, or no volume of it yet."""
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None

    def current(self) -> bytes | None:
        """The key in force, which may have been created too recently for the volume; None if the Secret is gone."""
        content = self.mounted()
        if content is None and self._created is not None and self._clock() < self._created[1] + FILL_SECONDS:
            return self._created[0]
        self._created = None
        return content

    async def obtain(self) -> bytes:
        """Value of the mounted key, made if it is missing. Waits as long as it takes.

        Raises:
            ApiError: if the API server refuses the create.
        """
        loop = asyncio.get_running_loop()
        while (content := self.current()) is None:
            if await self.create(self.generate()):
                continue
            logger.info("waiting for the volume of Secret %s, which exists already", self._name)
            until = loop.time() + CREATE_AGAIN_SECONDS
            while self.mounted() is None and loop.time() < until:  # noqa: ASYNC110 (the kubelet writes the file)
                await asyncio.sleep(POLL_SECONDS)
        return content

    async def create(self, values: Mapping[str, bytes]) -> bool:
        """Whether the Secret was created with these values; False if there is one already.

        Raises:
            ApiError: if the API server refuses.
        """
        if await self._kube.create(self._manifest(values)) is None:
            return False
        logger.info("made Secret %s", self._name)
        self._created = values[self._file.name], self._clock()
        return True

    def _manifest(self, values: Mapping[str, bytes]) -> Manifest:
        return {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.name,
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {MANAGED_BY_LABEL: MANAGED_BY, COMPONENT_LABEL: self._component},
            },
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in values.items()},
        }


def root_secret(kube: KubeClient, *, namespace: str, folder: Path) -> MadeSecret:
    """`slipway-root`: what the passwords of namespaces are derived from."""
    return MadeSecret(
        kube,
        namespace=namespace,
        name=ROOT_SECRET,
        component="operator",
        file=folder / ROOT_KEY,
        generate=lambda: {ROOT_KEY: secrets.token_bytes(ROOT_BYTES)},
    )


def store_secret(kube: KubeClient, *, namespace: str, file: Path, host: str) -> MadeSecret:
    """`slipway-postgres`: the administrator of the bundled Postgres at this host."""

    def generate() -> Mapping[str, bytes]:
        password = secrets.token_urlsafe(32)
        dsn = f"postgresql://slipway:{password}@{host}:5432/slipway"
        return {"password": password.encode(), STORE_KEY: dsn.encode()}

    return MadeSecret(kube, namespace=namespace, name=STORE_SECRET, component="postgres", file=file, generate=generate)


async def obtain_root(made: MadeSecret) -> bytes:
    """The 32 bytes of `slipway-root`.

    Raises:
        ApiError: if the API server refuses the create.
        UselessRootError: if the Secret holds something else.
    """
    root = await made.obtain()
    if len(root) != ROOT_BYTES:
        raise UselessRootError(
            f"Secret {ROOT_SECRET} must hold {ROOT_BYTES} random bytes under the key {ROOT_KEY}, not {len(root)}: "
            "restore it from your backup, or delete it, and the operator makes a new one and with it new passwords"
        )
    return root
