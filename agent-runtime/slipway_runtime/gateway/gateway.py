"""The gateway's parts: what every path works with, and what none of them owns."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from starlette.requests import Request

from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway import access, nesting
from slipway_runtime.gateway.admission import Bound, Pool, Shares
from slipway_runtime.gateway.callers import Authenticator, AuthenticatorChain, Open, Unproven
from slipway_runtime.gateway.nesting import Nesting
from slipway_runtime.gateway.permissions import Action, Everything, Policy, denied_tools
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.protected_resource import ProtectedResource
from slipway_runtime.gateway.rates import RateLimits
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.gateway.upstream import Upstreams
from slipway_runtime.gateway.workflows import workers
from slipway_runtime.gateway.workflows.table import WorkflowTable
from slipway_runtime.gateway.workflows.workers import WorkerCalls
from slipway_runtime.grants import Grant
from slipway_runtime.identity import ANONYMOUS, Caller, Signer
from slipway_runtime.problems import Problem, Reason

LONG_BODIES_BYTES = 64 * 1024 * 1024


def caller_name(request: Request, caller: Caller) -> str:
    """What is counted together. Anonymous callers all have one name, which is no reason to share one's places."""
    address = request.client.host if request.client else ""
    return address if caller == ANONYMOUS else f"caller {caller.owner}"


@dataclass
class Gateway:
    """Everything that the paths work with. `draining` turns readiness off and nothing else."""

    routes: RouteTable
    upstreams: Upstreams
    worker_pods: Upstreams
    """Those of workflows."""
    authenticator: Authenticator
    signer: Signer
    bound: Bound
    bodies: Shares
    """Bodies that are arriving, by caller: a slow one takes a connection, but none of the places in `bound`."""
    long_bodies: Pool = field(default_factory=lambda: Pool(LONG_BODIES_BYTES))
    """What bodies have beyond 64 KiB, until their requests end."""
    policy: Policy = field(default_factory=Everything)
    rates: RateLimits = field(default_factory=RateLimits)
    allowed_origins: tuple[str, ...] = ()
    """Web origins whose pages may read answers; without any, there is no CORS."""
    origin_remedy: str = "add it to the chart value gateway.cors.allowedOrigins"
    """How to let pages of one more origin ask, for whoever is refused."""
    public_url: str = ""
    """Where clients reach this gateway; empty: whatever a client calls it."""
    plugins: PluginTable = field(default_factory=PluginTable)
    workflows: WorkflowTable = field(default_factory=WorkflowTable)
    receiver_rule: AddressRule = field(default_factory=AddressRule)
    """Where receivers of push notifications may be."""
    default_agent: AgentKey | None = None
    smart_agent: AgentKey | None = None
    resource: ProtectedResource | None = None
    """What OAuth clients are told of the gateway; None where no identity provider is set."""
    routes_missing: Callable[[], str | None] = lambda: None
    """What keeps the table of routes from being trusted; None once it was filled."""
    draining: bool = field(default=False)
    nesting: Nesting = field(init=False)
    worker_calls: WorkerCalls = field(init=False)
    refusals: access.Refusals = field(default_factory=access.Refusals)

    def __post_init__(self) -> None:
        self.nesting = Nesting(routes=self.routes, plugins=self.plugins, upstreams=self.upstreams, signer=self.signer)
        self.worker_calls = WorkerCalls(self.workflows, self.signer)

    def missing(self) -> list[str]:
        """What is not there yet, each as a sentence for a person; empty when ready."""
        reasons = [self.routes_missing(), self.authenticator.missing()]
        if self.draining:
            reasons.append("this gateway is shutting down")
        return [reason for reason in reasons if reason]

    @property
    def asks_for_keys(self) -> bool:
        """Whether a caller needs a credential."""
        chain = self.authenticator
        return not (isinstance(chain, Open) or (isinstance(chain, AuthenticatorChain) and chain.open))

    def drain(self) -> None:
        """Report that this gateway is shutting down, and go on serving what still comes."""
        self.draining = True

    async def identify(self, request: Request) -> tuple[Caller, Grant | None]:
        """Who asks, and by which grant where an agent asks for its caller. A request of nobody is counted and logged.

        Raises:
            Problem: Unauthenticated.
        """
        token = nesting.presented(request)
        if token is None:
            return await self.authenticate(request), None
        try:
            grant = self.nesting.read(token)
        except Problem:
            self.refusals.add(request, cause="invalid grant")
            raise
        return grant.caller, grant

    def terms(self, caller: Caller, *, agent: AgentKey, run: str, within: Grant | None = None) -> dict[str, object]:
        """What a run that starts now is given of its caller's rights: fields of an `Ask`."""
        denied = denied_tools(self.policy, self.routes.access(agent), caller, agent)
        grant = self.nesting.mint(caller, agent=agent, run=run, within=within)
        return {"grant": grant, "without_tools": denied or None}

    def identify_worker(self, request: Request) -> Grant | None:
        """For whom a worker of workflows calls; None for everybody else. A request of nobody is counted and logged.

        Raises:
            Problem: Unauthenticated.
        """
        if not workers.presented(request):
            return None
        try:
            return self.worker_calls.read(request)
        except Problem:
            self.refusals.add(request, cause="invalid worker key")
            raise

    async def authenticate(self, request: Request) -> Caller:
        """Who asks, where a grant is no credential. A request of nobody is counted and logged.

        Raises:
            Problem: Unauthenticated, IdentityUnavailable, RateLimited.
        """
        if nesting.presented(request):
            self.refusals.add(request, cause="invalid grant")
            raise Problem(Reason.UNAUTHENTICATED, "A grant is for asking agents: this path takes another credential.")
        found = await self.authenticator.caller(request.headers.raw)
        if isinstance(found, Unproven):
            self.refusals.add(request, cause=found.cause)
            raise Problem(Reason.UNAUTHENTICATED, f"{found.finding}: {found.remedy}")
        try:
            self.rates.take(caller_name(request, found))
        except Problem as problem:
            access.write(request, found, status=problem.status)
            raise
        return found

    def require_agents(self) -> None:
        """See that the agents are known, so that one that is not is refused for good.

        Raises:
            Problem: NotReady.
        """
        if not self.routes.listed:
            raise Problem(
                Reason.NOT_READY,
                "this gateway has not read the list of agents yet: ask again, and see its /readyz if that lasts",
            )

    def require_workflows(self) -> None:
        """See that the workflows are known, so that one that is not is refused for good.

        Raises:
            Problem: NotReady.
        """
        if not self.workflows.listed:
            raise Problem(
                Reason.NOT_READY,
                "this gateway has not read the list of workflows yet: ask again, and see its /readyz if that lasts",
            )

    async def listing(self, request: Request) -> tuple[Caller, list[dict[str, object]]]:
        """Who asks for the list of agents, and what there is for them: for an agent, whom it may ask, and for a worker
        of workflows, the agents of its namespace that the caller of the run may ask.

        Raises:
            Problem: Unauthenticated, NotReady, NoPodReady.
        """
        by_worker = self.identify_worker(request)
        caller, grant = (by_worker.caller, None) if by_worker else await self.identify(request)
        self.require_agents()
        if by_worker is not None:
            return caller, [
                each for each in self.listed(caller) if each["namespace"] == workers.namespace_of(by_worker)
            ]
        if grant is None:
            return caller, self.listed(caller)
        await self.nesting.check_goes_on(grant)
        reach = self.nesting.reach(grant)
        return caller, [each for each in self.listed(caller) if (each["namespace"], each["name"]) in reach]

    def listed(self, caller: Caller) -> list[dict[str, object]]:
        """The agents that the caller may see."""
        return [
            {
                "namespace": agent.namespace,
                "name": agent.name,
                "ready": pods > 0,
                **asdict(self.routes.description(agent)),
            }
            for agent, pods in self.routes.agents().items()
            if self.policy.allows(caller, Action.LIST, agent)
        ]
