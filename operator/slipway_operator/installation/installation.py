"""The Secrets that one installation has, as the leading operator uses them: the root, the store's administrator, the
gateway's identity."""

import logging

from slipway_operator.core.kube import KubeClient
from slipway_operator.installation.identity import identity_secret
from slipway_operator.installation.roots import ROOT_KEY, MadeSecret, obtain_root, root_secret, store_secret
from slipway_operator.settings import OperatorSettings
from slipway_operator.store.admin import Admin, AdminSecretError, read_admin
from slipway_operator.store.builders import StoreAddress

logger = logging.getLogger(__name__)


class StartAgainError(Exception):
    """Something has changed that everything else was made from; the message says what."""


class Installation:
    """Made by `obtain`. `keep` is called every few seconds."""

    def __init__(
        self,
        settings: OperatorSettings,
        *,
        root: bytes,
        root_secret: MadeSecret,
        store_secret: MadeSecret | None,
        identity_secret: MadeSecret,
    ) -> None:
        """`store_secret` is None if the store is a given one.

        Raises:
            AdminSecretError: if the admin's DSN is of no use.
        """
        self._settings = settings
        self.root = root
        self._root_secret = root_secret
        self._store_secret = store_secret
        self.identity_secret = identity_secret
        self.address: StoreAddress = self.admin().address
        """Where pods find the store."""

    def admin(self) -> Admin:
        """The admin's DSN, read again.

        Raises:
            AdminSecretError: if it is of no use.
        """
        return current_admin(self._settings, self._store_secret)

    async def keep(self) -> None:
        """Make again what was deleted: the root as it was, the bundled store's administrator anew.

        Raises:
            ApiError: if the API server refuses.
            StartAgainError: if the root or the store's address is another one.
        """
        root = self._root_secret.current()
        if root is None:
            await self._root_secret.create({ROOT_KEY: self.root})
        elif root != self.root:
            raise StartAgainError("the Secret slipway-root holds another value: starting again with it")
        if self._store_secret is not None and self._store_secret.current() is None:
            await self._store_secret.create(self._store_secret.generate())
        try:
            address = self.admin().address
        except AdminSecretError as error:
            logger.warning("%s", error)
            return
        if address != self.address:
            raise StartAgainError("the admin's DSN names another address: starting again with it")


def current_admin(settings: OperatorSettings, made: MadeSecret | None = None) -> Admin:
    """The admin's DSN: mounted, or made so recently that it is not mounted yet.

    Raises:
        AdminSecretError: if it is of no use.
    """
    return read_admin(
        settings.admin_dsn_file,
        made=((made.current() or b"") if made is not None else b"").decode(),
        host=settings.store_host,
        port=settings.store_port,
        authorities=bool(settings.ca_config_map),
    )


async def obtain(settings: OperatorSettings, kube: KubeClient) -> Installation:
    """Read the Secrets, and make those that are missing.

    Raises:
        AdminSecretError, UselessRootError: if one holds something useless.
        ApiError: if the API server refuses to create one.
    """
    namespace = settings.release_namespace
    store = None
    if host := settings.bundled_store_host:
        store = store_secret(kube, namespace=namespace, file=settings.admin_dsn_file, host=host)
        await store.obtain()  # first, since Postgres takes longest to start
    root = root_secret(kube, namespace=namespace, folder=settings.root_dir)
    return Installation(
        settings,
        root=await obtain_root(root),
        root_secret=root,
        store_secret=store,
        identity_secret=identity_secret(kube, namespace=namespace, folder=settings.identity_dir),
    )
