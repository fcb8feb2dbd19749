"""`slipway gateway`: the gateway of a cluster, with routes from Kubernetes.

On SIGTERM it says at once that it is not ready, goes on serving while other parts of the cluster learn of that, asks
clients to connect anew by closing their connections after each answer, and ends when nothing is open any more.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import aiohttp
import uvloop

from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.a2a.pushing import pushing
from slipway_runtime.gateway.admission import Bound, Shares
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.auth import ApiKeys
from slipway_runtime.gateway.callers import Authenticator, AuthenticatorChain, Open
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.host_authorities import HostAuthorities
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.kubernetes_routes import KubernetesRoutes
from slipway_runtime.gateway.oidc import Oidc, TrustedProvider
from slipway_runtime.gateway.permissions import ByGroups
from slipway_runtime.gateway.plugins.source import ClusterAccess, KubernetesPlugins
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.protected_resource import ProtectedResource
from slipway_runtime.gateway.rates import RateLimits, RequestLimits
from slipway_runtime.gateway.replicas import Replicas
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.gateway.signing_keys import SigningKeys, new_provider_session
from slipway_runtime.gateway.token_review import TokenReviews
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, Upstreams, new_session
from slipway_runtime.gateway.workflows.source import KubernetesWorkflows
from slipway_runtime.gateway.workflows.table import WorkflowTable
from slipway_runtime.http_limits import HttpLimits
from slipway_runtime.identity import InvalidKey, Signer
from slipway_runtime.identity_files import SignerFile
from slipway_runtime.serving import DrainingServer, server_config, tame_garbage_collection
from slipway_runtime.serving_tls import InvalidCertificate, serving_tls
from slipway_runtime.settings import GatewaySettings
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.metrics import metrics_served
from slipway_runtime.telemetry.tracing import configure_tracing

log = logging.getLogger(__name__)

GRACE_SECONDS = LONGEST_SECONDS
"""How long open requests are waited for. The pod may be given less."""
HELD_SHARE = 0.5
"""Share of the requests in flight that may be waiting for a pod, so that one agent's outage leaves room for others."""

BODIES_SHARE = 0.25
"""Bodies that one caller may have arriving, as a share of the requests in flight: slow ones leave room for others."""
CONNECTIONS = 4
"""Connections for each request of a client that may be in flight: there may be as many calls of agents, idle ones,
and ones whose request is arriving."""


@asynccontextmanager
async def authenticators_of(settings: GatewaySettings) -> AsyncIterator[list[Authenticator]]:
    """Those that the settings ask for, besides one that needs a cluster."""
    if settings.auth_mode == "open":
        yield [Open()]
    elif not settings.oidc_issuer:
        yield [ApiKeys(settings.api_keys_file)]
    else:
        provider = TrustedProvider(
            issuer=settings.oidc_issuer,
            audiences=settings.oidc_audiences,
            resource=settings.public_url,
            username_claim=settings.oidc_username_claim,
            groups_claim=settings.oidc_groups_claim,
        )
        async with new_provider_session() as session, aclosing(SigningKeys(provider.issuer, session)) as keys:
            yield [ApiKeys(settings.api_keys_file), Oidc(provider, keys)]


@asynccontextmanager
async def assembled(
    settings: GatewaySettings,
    *,
    routes: RouteTable,
    signer: Signer,
    authenticators: Sequence[Authenticator] = (),
    replicas: Callable[[], int] = lambda: 1,
    authorities: HostAuthorities | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway over a table of routes, whoever keeps that current.

    Args:
        authenticators: that are asked after those of the settings.
        replicas: how many gateways share the rate limits.
        authorities: of hosts that speak TLS.
    """
    async with (
        authenticators_of(settings) as own,
        new_session(2 * settings.max_in_flight) as session,
        aclosing(PluginTable()) as plugins,
    ):
        workflows, pods = WorkflowTable(), _pods(settings, session, authorities)
        yield Gateway(
            routes=routes,
            upstreams=pods(routes=routes),
            workflows=workflows,
            worker_pods=pods(routes=workflows.workers),
            authenticator=AuthenticatorChain([*own, *authenticators]),
            signer=signer,
            bound=Bound(settings.max_in_flight),
            policy=ByGroups(routes.access),
            plugins=plugins,
            bodies=Shares(max(1, int(settings.max_in_flight * BODIES_SHARE))),
            rates=_rates(settings, replicas),
            resource=_resource(settings),
            allowed_origins=settings.allowed_origins,
            public_url=settings.public_url,
            receiver_rule=AddressRule(networks=tuple(settings.receiver_networks)),
            default_agent=_agent(settings.default_agent),
            smart_agent=_agent(settings.smart_agent),
        )


def _pods(
    settings: GatewaySettings, session: aiohttp.ClientSession, authorities: HostAuthorities | None
) -> Callable[..., Upstreams]:
    """What sends calls to the pods of a table of routes. All wait in the same places."""
    held = Bound(max(1, int(settings.max_in_flight * HELD_SHARE)))
    return partial(Upstreams, session=session, hold_seconds=settings.hold_seconds, held=held, authorities=authorities)


def _resource(settings: GatewaySettings) -> ProtectedResource | None:
    return ProtectedResource(settings.oidc_issuer, settings.public_url) if settings.oidc_issuer else None


def _agent(key: str | None) -> AgentKey | None:
    return AgentKey.parse(key) if key else None


def _rates(settings: GatewaySettings, replicas: Callable[[], int]) -> RateLimits:
    limits = RequestLimits(per_caller=settings.rate_limit_caller, per_caller_and_agent=settings.rate_limit_agent)
    return RateLimits(limits, replicas=replicas)


class CannotStart(Exception):
    """The gateway lacks what it cannot be without; the text says what to do."""


def read_signer(path: Path) -> Signer:
    """The key that this gateway vouches with.

    Raises:
        CannotStart: if there is none in the file.
    """
    try:
        return SignerFile(path)
    except (OSError, InvalidKey) as error:
        raise CannotStart(
            f"{path} must hold the gateway's identity key, from the Secret slipway-identity that the operator makes: "
            f"{error}"
        ) from error


def read_tls(settings: GatewaySettings) -> tuple[int, ssl.SSLContext] | None:
    """The port with TLS, and what it is spoken with; None without.

    Raises:
        CannotStart: if there is no certificate.
    """
    try:
        return serving_tls(settings.tls_dir, settings.tls_port)
    except InvalidCertificate as error:
        raise CannotStart(str(error)) from error


def read_authorities(settings: GatewaySettings) -> HostAuthorities | None:
    """What certificates of hosts are checked with; None where hosts speak plain HTTP.

    Raises:
        CannotStart: if there are none.
    """
    if settings.host_authorities_file is None:
        return None
    try:
        return HostAuthorities(settings.host_authorities_file)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(
            f"{settings.host_authorities_file} must hold PEM certificates of the authorities of hosts: {error}"
        ) from error


def _source(api: KubernetesApi, gateway: Gateway, access: ClusterAccess, *, tls: bool) -> KubernetesRoutes:
    """What fills the gateway's tables."""
    plugins = KubernetesPlugins(gateway.plugins, gateway.routes, access, tls=tls)
    workflows = KubernetesWorkflows(gateway.workflows, gateway.routes, tls=tls)
    others = [plugins.reflector(api), *workflows.reflectors(api)]
    source = KubernetesRoutes(api, gateway.routes, also=others, tls=tls)
    gateway.routes_missing = source.missing
    return source


async def serve(settings: GatewaySettings) -> None:
    """Serve until told to stop.

    Raises:
        CannotStart: if the identity key or the certificate is missing.
    """
    signer, tls = read_signer(settings.identity_key_file), read_tls(settings)
    authorities = read_authorities(settings)
    api = await KubernetesApi.connect()
    routes = RouteTable()
    audience, limited = settings.token_review_audience, settings.rate_limit_caller or settings.rate_limit_agent
    reviews = [TokenReviews(api, audience, but_of=settings.oidc_issuer)] if audience else []
    replicas = Replicas(api, settings.service) if settings.service and limited else None
    try:
        async with (
            replicas.following() if replicas else nullcontext(),
            assembled(
                settings,
                routes=routes,
                signer=signer,
                authenticators=reviews,
                replicas=replicas or (lambda: 1),
                authorities=authorities,
            ) as gateway,
        ):
            access = ClusterAccess(signer, settings.plugin_networks, authorities=authorities)
            source = _source(api, gateway, access, tls=authorities is not None)
            limits = HttpLimits(connections=CONNECTIONS * settings.max_in_flight)
            config = server_config(create_app(gateway), port=settings.port, lifespan=False, limits=limits)
            tame_garbage_collection()
            server = DrainingServer(
                config, drain=gateway.drain, busy=lambda: gateway.bound.taken, grace=GRACE_SECONDS, tls=tls
            )
            with metrics_served(settings.metrics_port, page=gateway.plugins.status_at):
                async with source.following(), pushing(gateway):
                    await server.serve()
    finally:
        await api.close()


def main() -> int:
    """Entry of `slipway gateway`: 0 after a drain, 1 if it could not start."""
    configure_logging("gateway")
    flush = configure_tracing("slipway-gateway")
    try:
        settings = GatewaySettings.from_environment()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except CannotStart as error:
        log.error(str(error))
        return 1
    finally:
        flush()
    return 0
