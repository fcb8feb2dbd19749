"""The store's share of a namespace: one schema, one role, one Secret, all derived and never read back.

The role's password is derived from `slipway-root`, so the operator can create the Secret without ever having to read
one. Nor can it change one: the name carries a hash of the content, so that another password,
host or `sslmode` makes a new Secret beside the old, and pods roll onto it.
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from slipway_crds.meta import COMPONENT_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from slipway_operator.kinds import SECRET
from slipway_operator.manifests import Manifest
from slipway_operator.passwords import tenant_password

IDENTIFIER_MAX = 63
"""Bytes in a Postgres identifier."""
CA_FILE = "/etc/slipway/ca/ca.crt"
"""Where the operator's and the agents' pods have the chart's `caBundle`."""
VERIFYING = frozenset({"verify-ca", "verify-full"})
"""The values of `sslmode` that check the server's certificate."""


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
        """What a DSN with other parameters says about TLS."""
        if self.sslmode in VERIFYING:
            # asyncpg knows no system-wide authorities, and fails where it is not told of a file.
            return f"&sslmode={self.sslmode}&sslrootcert={CA_FILE}"
        return f"&sslmode={self.sslmode}" if self.sslmode else ""


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """What a namespace signs in to the store with."""

    namespace: str
    role: str
    password: str
    address: StoreAddress

    @property
    def schema(self) -> str:
        return self.role

    @property
    def dsn(self) -> str:
        address = self.address
        host = f"[{address.host}]" if ":" in address.host else address.host
        return (
            f"postgresql://{self.role}:{quote(self.password, safe='')}@{host}:{address.port}"
            f"/{quote(address.database, safe='')}?options=-csearch_path%3D{self.schema}{address.tls}"
        )

    @property
    def secret_name(self) -> str:
        return f"slipway-store-{hashlib.sha256(self.dsn.encode()).hexdigest()[:8]}"


def store_access(namespace: str, root: bytes, address: StoreAddress) -> StoreAccess:
    """The namespace's role and password, and where it uses them."""
    password = tenant_password(root, namespace, 1)
    return StoreAccess(namespace=namespace, role=role_name(namespace), password=password, address=address)


def role_name(namespace: str) -> str:
    """`ns_` and the namespace as a Postgres identifier; a long name is cut and told apart by a hash."""
    name = "ns_" + namespace.replace("-", "_")
    if len(name) <= IDENTIFIER_MAX:
        return name
    suffix = hashlib.sha256(namespace.encode()).hexdigest()[:8]
    return f"{name[: IDENTIFIER_MAX - 9]}_{suffix}"


def store_secret(access: StoreAccess) -> Manifest:
    """The Secret that pods of the namespace mount. It has no owner: it serves every agent and index there."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": access.secret_name,
            "namespace": access.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, COMPONENT_LABEL: "store"},
        },
        "type": "Opaque",
        "stringData": {"dsn": access.dsn},
    }
