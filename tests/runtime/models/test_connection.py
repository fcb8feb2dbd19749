"""Keys, certificates and addresses of providers."""

import logging
import ssl
from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import AgentBindings, ModelBinding
from slipway_runtime import addresses
from slipway_runtime.addresses import ForbiddenAddress, check, is_forbidden
from slipway_runtime.models.connection import ApiKeyFile, KeyProblem
from slipway_runtime.problems import Problem, Reason
from tests.support.model_server import model_server
from tests.support.models import ask, entry, make_models
from tests.support.self_signed import self_signed

FORBIDDEN = (
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "fe80::1"),
    *("::ffff:169.254.169.254", "0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "fd00:c1::a9fe:a9fe"),
    *("168.63.129.16", "64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "2002:a9fe:a9fe::", "2002:a9fe:a9fe::1"),
)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_metadata_and_link_local_addresses_are_forbidden(address: str) -> None:
    with pytest.raises(ForbiddenAddress, match="or the url of a Redis, to the address of the service itself"):
        check("provider.test", ["10.0.0.1", address])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.1",
        "8.8.8.8",
        "::1",
        "fd00::1",
        "2001:db8::1",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_other_addresses_are_allowed(address: str) -> None:
    check("provider.test", [address])


@pytest.mark.parametrize("provider", ["openai-compatible", "anthropic", "google", "bedrock"])
async def test_a_name_that_leads_to_a_metadata_service_is_not_connected_to(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked at when the connection is made: it led to another address when the manifest was checked."""
    monkeypatch.setattr(addresses, "is_forbidden", lambda address: is_forbidden(address) or address.is_loopback)
    with model_server("Secret credentials.") as server:
        models = make_models(entry(server, provider))
        with pytest.raises(Problem) as raised:
            await ask(models)
        assert server.requests == []
    assert raised.value.reason is Reason.MODELS_UNAVAILABLE
    assert "127.0.0.1 leads to 127.0.0.1" in raised.value.detail


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "2852039166"]
)
async def test_a_metadata_address_is_reported_however_it_is_written(host: str) -> None:
    models = make_models(entry(f"http://{host}/v1"))
    (problem,) = await models.problems()
    with pytest.raises(Problem, match="which belongs to the machine's own network"):
        await ask(models)
    assert problem.startswith("model first (openai-compatible:test-model): ")
    assert "set baseURL" in problem


@pytest.mark.parametrize("provider", ["openai-compatible", "openai", "anthropic", "google"])
async def test_a_rotated_key_is_used_at_once(provider: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = tmp_path / "key"
    key.write_text("first-key\n")
    caplog.set_level(logging.DEBUG)
    with model_server("Hello.", key="first-key") as server:
        models = make_models(entry(server, provider), bindings={"first": ModelBinding(api_key_file=str(key))})
        await ask(models)
        server.key = "second-key"
        with pytest.raises(Problem, match="refused the API key"):
            await ask(models)
        replacement = tmp_path / "new"
        replacement.write_text("second-key")
        replacement.rename(key)
        result, _ = await ask(models)
    assert result.output == "Hello."
    assert "first-key" not in caplog.text
    assert "second-key" not in caplog.text


async def test_a_key_is_followed_as_the_kubelet_mounts_it(tmp_path: Path) -> None:
    """A Secret that comes later, and one that changes: a link to the folder of the moment is exchanged."""
    key = tmp_path / "api-key"
    key.symlink_to("..data/api-key")

    def mount(text: str) -> None:
        (tmp_path / f"..{text}").mkdir()
        (tmp_path / f"..{text}" / "api-key").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(f"..{text}")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    with model_server("Hello.") as server:
        models = make_models(entry(server), bindings={"first": ModelBinding(api_key_file=str(key))})
        assert (await models.problems())[0].endswith(
            "the API key is missing: create the Secret that apiKeyRef names, with its key"
        ), "a status has no room for the file"
        for text in ("first-key", "other-key"):
            mount(text)
            await ask(models)
    assert [each.headers["authorization"] for each in server.requests] == ["Bearer first-key", "Bearer other-key"]


def test_a_key_is_not_in_what_debuggers_print(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("secret-text")
    key = ApiKeyFile(tmp_path / "file")
    assert key.key() == "secret-text"
    assert "secret-text" not in repr(key)


async def test_the_bindings_of_the_moment_count(tmp_path: Path) -> None:
    bindings = {"first": ModelBinding(api_key_file=str(tmp_path / "old"))}
    (tmp_path / "new").write_text("good-key")
    with model_server("Hello.", key="good-key") as server:
        models = make_models(entry(server), bindings=lambda: AgentBindings(models=bindings))
        with pytest.raises(Problem, match="has no API key: look at the Secret that apiKeyRef names"):
            await ask(models)
        assert server.requests == []
        bindings["first"] = ModelBinding(api_key_file=str(tmp_path / "new"))
        result, _ = await ask(models)
    assert result.output == "Hello."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "create the Secret that apiKeyRef names"),
        ("", "is empty"),
        (" \n", "is empty"),
        ("one\ntwo", "has spaces or line breaks in it"),
        ("Bearer abc", "has spaces or line breaks in it"),
        ("schlüssel", "cannot be read"),
    ],
)
def test_what_cannot_be_a_key_is_named(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeyProblem, match=says) as raised:
        ApiKeyFile(path).key()
    assert content is None or len(content.strip()) == 0 or content not in str(raised.value)


async def test_a_server_without_a_key_is_sent_none() -> None:
    with model_server("Hello.") as server:
        await ask(make_models(entry(server)))
        assert "authorization" not in server.requests[0].headers


async def test_the_environment_moves_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the providers' SDKs, and proxies, are for other programs."""
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-elses")
    monkeypatch.setenv("OPENAI_ORG_ID", "somebody-elses")
    with model_server("Hello.") as server:
        for provider in ("openai", "anthropic", "google"):
            result, _ = await ask(make_models(entry(server, provider)))
            assert result.output == "Hello."
        assert "somebody-elses" not in str([each.headers for each in server.requests])


async def test_a_bundle_replaces_the_authorities_of_the_system(tmp_path: Path) -> None:
    """Also by Bedrock's SDK, which takes API keys over TLS only."""
    certificate, key_file = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    secret = tmp_path / "secret"
    secret.write_text("bedrock-key")
    with model_server("Hello.", key="bedrock-key", tls=context) as server:
        for provider in ("openai-compatible", "anthropic", "google", "bedrock"):
            binding = ModelBinding(api_key_file=str(secret))
            with pytest.raises(Problem, match="cannot be reached"):
                await ask(make_models(entry(server, provider), bindings={"first": binding}))
            trusted = binding.model_copy(update={"ca_file": str(certificate)})
            result, _ = await ask(make_models(entry(server, provider), bindings={"first": trusted}))
            assert result.output == "Hello."


@pytest.mark.parametrize("provider", ["openai-compatible", "anthropic", "google", "bedrock"])
async def test_an_entry_may_get_a_key_later(provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock's requests are signed with the pod's own credentials until then."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "pod")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pod-secret")
    certificate, key_file = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    (tmp_path / "secret").write_text("good-key")
    bindings = {"first": ModelBinding(ca_file=str(certificate))}
    with model_server("Hello.", key="good-key", tls=context) as server:
        models = make_models(entry(server, provider), bindings=lambda: AgentBindings(models=bindings))
        with pytest.raises(Problem, match="refused the API key"):
            await ask(models)
        bindings["first"] = ModelBinding(ca_file=str(certificate), api_key_file=str(tmp_path / "secret"))
        result, _ = await ask(models)
    assert result.output == "Hello."


async def test_a_rotated_bundle_is_used(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    bundle = tmp_path / "ca.crt"
    old, (certificate, key_file) = self_signed(tmp_path / "old")[0], self_signed(tmp_path / "new")
    bundle.write_bytes(old.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    with model_server("Hello.", tls=context) as server:
        models = make_models(entry(server), bindings={"first": ModelBinding(ca_file=str(bundle))})
        with pytest.raises(Problem, match="cannot be reached"):
            await ask(models)
        bundle.write_text("half a certificate")
        with pytest.raises(Problem, match="cannot be reached"):
            await ask(models)
        (tmp_path / "next").write_bytes(certificate.read_bytes())
        (tmp_path / "next").rename(bundle)
        result, _ = await ask(models)
    assert result.output == "Hello."
