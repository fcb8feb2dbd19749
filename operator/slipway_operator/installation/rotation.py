"""Which public keys of gateways hosts accept, and the rotation of the gateway's key.

Somebody deletes the Secret `slipway-identity`. The operator sees its volume empty, generates a key, and first gives its
public half to hosts, alongside the old one. Only when they had time to read it does it create the Secret, from which
gateways read the new key. Some time later the old key is dropped. Nothing restarts, and no request is refused.

What hosts accept is remembered in a ConfigMap of the release's namespace, so that another operator goes on from there.
"""

import base64
import binascii
import logging
import time
from collections.abc import Callable, Collection, Mapping

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway_crds.identity import CONFIG_MAP as LIST_NAME
from slipway_crds.meta import COMPONENT_LABEL
from slipway_crds.references import Ref
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import ApiError, KubeClient, RawObject
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import CONFIG_MAP, POD
from slipway_operator.installation.identity import KEY, generate_key, keys_config_map, public_key
from slipway_operator.installation.roots import MadeSecret

logger = logging.getLogger(__name__)

MEMORY_NAME = "slipway-identity-keys"
MEMORY_KEY = "keys.json"
SIGNATURE_KEY = "signature"
MEMORY_CONTEXT = b"slipway known identity keys v1\n"
KEEP_SECONDS = 600.0
"""How long hosts accept a key that was replaced: gateways have long read the new one by then."""


class IdentityRotation:
    """Keeps the Secret and the lists of hosts right. `look` is called every few seconds."""

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        secret: MadeSecret,
        *,
        namespace: str,
        anchor: Ed25519PrivateKey,
        notice: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`namespace` is the release's; `notice` is how many seconds before a gateway hosts learn of a key."""
        self._kube = kube
        self._cache = cache
        self._secret = secret
        self._namespace = namespace
        self._anchor = anchor
        self._notice = notice
        self._clock = clock
        self._known: dict[str, float | None] = {}
        """Public keys, and since when they are replaced."""
        self._pending: tuple[Mapping[str, bytes], float] | None = None
        """A key that hosts are learning, and since when."""
        self._written: dict[str, tuple[Manifest, str]] = {}
        """What a namespace's list is, and the version of it."""

    async def start(self) -> None:
        """Remember, and make the first key of an installation.

        Raises:
            ApiError: if the API server refuses.
            UselessRootError: if the Secret holds no key.
        """
        stored = await self._kube.get(CONFIG_MAP, self._namespace, MEMORY_NAME)
        if stored is not None:
            self._known = remembered(stored.get("data") or {}, self._anchor)
        if not self._known:
            await self._remember({public_key(await self._secret.obtain()): None})

    async def look(self) -> None:
        """One look at the Secret's volume and at the lists. A list that cannot be written is left to the next look.

        Raises:
            ApiError: if the API server refuses anything else.
            UselessRootError: if the Secret holds no key.
        """
        now = self._clock()
        pem = self._secret.current()
        if pem is None:
            await self._replace(now)
        else:
            self._pending = None
            await self._remember(settled(self._known, current=public_key(pem), now=now))
        serving = [kind.name for kind in OWNER_KINDS.values() if kind.serves]
        for namespace in {namespace for kind in serving for namespace, _ in self._cache.known(kind)}:
            try:
                await self.publish(namespace)
            except ApiError as error:
                # Such as a namespace that is being deleted. The others go on.
                logger.warning("the identity keys of namespace %s are not written: %s", namespace, error)

    async def publish(self, namespace: str) -> None:
        """The list of a namespace is there and right.

        Raises:
            ApiError: if the API server refuses.
        """
        desired = keys_config_map(namespace, self._known, self._anchor)
        seen = self._cache.look(Ref(CONFIG_MAP.name, namespace, LIST_NAME))
        if seen.exists and self._written.get(namespace) == (desired, seen.version):
            return
        found = await self._kube.get(CONFIG_MAP, namespace, LIST_NAME)
        if found is None or found.get("data") != desired.get("data"):
            found = await self._kube.apply(desired, force=True)
        metadata = found["metadata"]
        self._written[namespace] = (desired, f"{metadata['uid']}/{metadata['resourceVersion']}")

    async def _replace(self, now: float) -> None:
        if self._pending is None:
            logger.info("the identity key is gone: hosts get another one, and gateways in %g s", self._notice)
            self._pending = (generate_key(), now)
        generated, since = self._pending
        await self._remember({**self._known, public_key(generated[KEY]): None})
        if now < since + self._notice and await self._gateway_serves():
            return
        if await self._secret.create(generated):
            self._pending = None
        else:
            # There is one already, which the volume is about to show.
            self._pending = (generated, now)

    async def _gateway_serves(self) -> bool:
        """Whether some gateway goes on with the old key. Without one, a new one waits for the Secret."""
        pages = self._kube.pages(POD, self._namespace, labels=f"{COMPONENT_LABEL}=gateway")
        return any(_ready(pod) for pods in [page async for page, _ in pages] for pod in pods)

    async def _remember(self, known: Mapping[str, float | None]) -> None:
        if known == self._known:
            return
        manifest: Manifest = {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.name,
            "metadata": {
                "name": MEMORY_NAME,
                "namespace": self._namespace,
                "labels": {COMPONENT_LABEL: "identity"},
            },
            "data": memory(known, self._anchor),
        }
        await self._kube.apply(manifest, force=True)
        self._known = dict(known)


def memory(known: Mapping[str, float | None], anchor: Ed25519PrivateKey) -> dict[str, str]:
    """What is remembered, signed: a key that somebody else wrote there would be handed to every host."""
    text = orjson.dumps(known, option=orjson.OPT_SORT_KEYS)
    signature = anchor.sign(MEMORY_CONTEXT + text)
    return {MEMORY_KEY: text.decode(), SIGNATURE_KEY: base64.b64encode(signature).decode()}


def remembered(data: Mapping[str, str], anchor: Ed25519PrivateKey) -> dict[str, float | None]:
    """The same back; nothing if this installation's operator did not write it."""
    text = data.get(MEMORY_KEY, "").encode()
    try:
        anchor.public_key().verify(base64.b64decode(data.get(SIGNATURE_KEY, "")), MEMORY_CONTEXT + text)
    except (InvalidSignature, binascii.Error):
        logger.warning("ConfigMap %s is not this operator's: beginning with the key in force", MEMORY_NAME)
        return {}
    known: dict[str, float | None] = orjson.loads(text)
    return known


def settled(known: Mapping[str, float | None], *, current: str, now: float) -> dict[str, float | None]:
    """What hosts accept while this key is in force: it, and others that were replaced a short while ago."""
    others = {key: since if since is not None else now for key, since in known.items() if key != current}
    kept: Collection[tuple[str, float]] = [(key, since) for key, since in others.items() if now < since + KEEP_SECONDS]
    return {current: None, **dict(kept)}


def _ready(pod: RawObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
