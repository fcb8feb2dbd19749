"""A namespace's share of the store: roles, a schema, a Secret and the ConfigMap that owns it.

Every name is made of the namespace's UID or of a whole hash, so that no two namespaces can have one in common, whatever
they are called. Everything is derived and never read back. A Secret cannot be changed either: its name carries a hash
of the content, so that another version, password or address makes a new Secret, and pods roll onto it.
"""

import hashlib
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from slipway_crds.contract import STORE_SECRET_PREFIX
from slipway_crds.meta import COMPONENT_LABEL, GROUP, MANAGED_BY, MANAGED_BY_LABEL
from slipway_operator.core.manifests import Manifest, OwnerReference
from slipway_operator.core.objects import CONFIG_MAP, NAMESPACE, SECRET
from slipway_operator.store.passwords import tenant_password

CA_FILE = "/etc/slipway/ca/ca.crt"
"""Where the operator's and the agents' pods have the chart's `caBundle`."""
VERIFYING = frozenset({"verify-ca", "verify-full"})
"""The values of `sslmode` that check the server's certificate."""
COMPONENT = "store"
MADE_ANNOTATION = f"{GROUP}/secret-made"
"""On the ConfigMap that owns a store Secret: the Secret was created with this ConfigMap as its owner."""


@dataclass(frozen=True, kw_only=True)
class StoreAddress:
    """Where pods find the store."""

    host: str
    """An IPv6 address without its brackets."""
    port: int
    database: str
    sslmode: str = ""
    """As in the admin's DSN; empty where that leaves it to the default."""

    @property
    def tls(self) -> str:
        """What a DSN says about TLS, as its query."""
        if self.sslmode in VERIFYING:
            # asyncpg knows no system-wide authorities, and fails unless it is given a file.
            return f"?sslmode={self.sslmode}&sslrootcert={CA_FILE}"
        return f"?sslmode={self.sslmode}" if self.sslmode else ""


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """What a namespace signs in to the store with."""

    namespace: str
    uid: str
    version: int
    """Of the login."""
    password: str
    address: StoreAddress

    @property
    def owner(self) -> str:
        """The role that owns what the namespace stores. Nobody can sign in as it."""
        return owner_role(self.uid)

    @property
    def schema(self) -> str:
        return self.owner

    @property
    def login(self) -> str:
        """The role that pods sign in as; it acts as the owner."""
        return login_role(self.uid, self.version)

    @property
    def dsn(self) -> str:
        address = self.address
        host = f"[{address.host}]" if ":" in address.host else address.host
        return (
            f"postgresql://{self.login}:{quote(self.password, safe='')}@{host}:{address.port}"
            f"/{quote(address.database, safe='')}{address.tls}"
        )

    @property
    def secret_name(self) -> str:
        """Of the Secret and of the ConfigMap that owns it."""
        return STORE_SECRET_PREFIX + hashlib.sha256(self.dsn.encode()).hexdigest()


def store_access(namespace: str, uid: str, version: int, *, root: bytes, address: StoreAddress) -> StoreAccess:
    """A namespace's login, its password, and where it uses them.

    Raises:
        ValueError: if the UID is not a UUID as Kubernetes writes it.
    """
    owner_role(uid)
    password = tenant_password(root, uid, version)
    return StoreAccess(namespace=namespace, uid=uid, version=version, password=password, address=address)


def owner_role(uid: str) -> str:
    """Name of a namespace's owner role and of its schema: `ns_` and 32 hexadecimal digits.

    Raises:
        ValueError: if the UID is not a UUID as Kubernetes writes it: only those are surely distinct without dashes.
    """
    try:
        parsed = uuid.UUID(uid)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != uid:
        raise ValueError(f"{uid!r} is not the UID of a namespace")
    return f"ns_{parsed.hex}"


def login_role(uid: str, version: int) -> str:
    """Name of the role that pods of the namespace sign in as."""
    return f"{owner_role(uid)}_v{version}"


def purge_role(uid: str) -> str:
    """Name of the role that the operator signs in as to delete an index's rows. Its password is in no Secret."""
    return f"{owner_role(uid)}_op"


def store_config_map(access: StoreAccess) -> Manifest:
    """The owner of the store Secret: deleting it deletes the Secret, which the operator has no right to delete."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {
            "name": access.secret_name,
            "namespace": access.namespace,
            "labels": labels(),
            "ownerReferences": [_namespace_reference(access)],
        },
        "data": {"schema": access.schema, "login": access.login, "host": access.address.host},
    }


def store_secret(access: StoreAccess, config_map_uid: str) -> Manifest:
    """The Secret that pods of the namespace mount; it serves every agent and index there."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": access.secret_name,
            "namespace": access.namespace,
            "labels": labels(),
            "ownerReferences": [
                _reference(CONFIG_MAP.api_version, CONFIG_MAP.name, access.secret_name, config_map_uid)
            ],
        },
        "type": "Opaque",
        "stringData": {"dsn": access.dsn},
    }


def labels() -> dict[str, str]:
    """Of the Secret and its ConfigMap."""
    return {MANAGED_BY_LABEL: MANAGED_BY, COMPONENT_LABEL: COMPONENT}


def _namespace_reference(access: StoreAccess) -> OwnerReference:
    """The namespace itself, by UID: what was made for one that is gone does not outlive it in another of its name."""
    return _reference(NAMESPACE.api_version, NAMESPACE.name, access.namespace, access.uid)


def _reference(api_version: str, kind: str, name: str, uid: str) -> OwnerReference:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": False,
        "blockOwnerDeletion": False,
    }
