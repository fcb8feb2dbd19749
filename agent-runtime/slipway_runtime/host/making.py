"""Hosted agents from their configuration, and their end."""

from pathlib import Path

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies, make_agent
from slipway_runtime.agents.protocol import close
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.plugins.middleware.making import with_plugins
from slipway_runtime.store.session_stores import SessionStore


def hosted_agent(config: AgentConfig, dependencies: AgentDependencies) -> HostedAgent:
    """An agent, with the Redis that has its sessions, if one has."""
    sessions, tools = _sessions(config, dependencies), DirectTools(config, dependencies)
    bindings = dependencies.bindings_of(config)
    agent = with_plugins(
        make_agent(config, dependencies),
        config,
        dependencies.plugins,
        log_content=lambda: bindings().telemetry_content,
    )
    return HostedAgent(config, agent, sessions, tools, answers=lambda: bindings().answers, dependencies=dependencies)


async def close_hosted(hosted: HostedAgent) -> None:
    """Close what an agent and its sessions keep open."""
    await close(hosted.agent)
    if hosted.sessions is not None:
        await hosted.sessions.close()


def _sessions(config: AgentConfig, dependencies: AgentDependencies) -> SessionStore | None:
    if config.session_redis is None:
        return None
    from slipway_runtime.store.redis_sessions import RedisSessions, open_redis

    binding = dependencies.bindings_of(config)().session_redis
    redis = open_redis(
        config.session_redis,
        password_file=Path(binding.password_file) if binding.password_file else None,
        ca_file=Path(binding.ca_file) if binding.ca_file else None,
    )
    return RedisSessions(dependencies.database, redis, agent=f"{config.namespace}/{config.name}")
