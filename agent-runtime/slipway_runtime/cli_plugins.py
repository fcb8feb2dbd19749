"""`slipway plugin`: what somebody who writes a plugin types."""

from pathlib import Path
from typing import Annotated

import typer

from slipway_runtime.authoring.types import NewPluginType

plugin = typer.Typer(help="Write, sign and verify plugins.", no_args_is_help=True)

Password = Annotated[
    str, typer.Option(help="Password of the private key.", envvar="SLIPWAY_SIGNING_PASSWORD", show_envvar=True)
]


@plugin.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the plugin and of its folder, like word-count.")],
    kind: Annotated[NewPluginType, typer.Option("--type", help="What it is made of.")] = NewPluginType.PYTHON,
) -> None:
    """Begin a plugin: a folder with code that works, its tests and its manifest."""
    from slipway_runtime.authoring.starting import CannotBegin, start

    try:
        made = start(name, kind, parent=Path())
    except CannotBegin as problem:
        raise _failed(str(problem)) from None
    typer.echo("\n".join(map(str, made)))
    build = f"make -C {name} && " if kind is NewPluginType.WASM else ""
    typer.echo(f"Next: {build}python -m pytest {name} && slipway plugin pack {name}", err=True)


@plugin.command("key")
def new_key(
    name: Annotated[str, typer.Argument(help="The files are NAME.key and NAME.pub.")] = "signing",
    password: Password = "",
) -> None:
    """Make a key to sign with. NAME.key stays with you; NAME.pub goes to those who run what you sign."""
    from slipway_runtime.plugins.signing import new_key_pair

    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    if private.exists() or public.exists():
        raise _failed(f"{private} or {public} exists: choose another name, or move the files away")
    pair = new_key_pair(password=password.encode() or None)
    private.touch(mode=0o600)
    private.write_bytes(pair.private)
    public.write_bytes(pair.public)
    typer.echo(f"{private} signs: keep it secret. {public} verifies: write it into manifests.")


@plugin.command()
def sign(
    file: Annotated[Path, typer.Argument(help="What the plugin is made of: a wheel, a module, a document.")],
    key: Annotated[Path, typer.Option(help="The private key: PKCS#8 PEM.")],
    password: Password = "",
) -> None:
    """Sign a file as `cosign sign-blob --key` does: the signature on standard output, the digest on standard error."""
    from slipway_runtime.plugins import signing

    content = _content(file)
    try:
        signature = signing.sign(content, _content(key), password=password.encode() or None)
    except signing.SignatureRefused as error:
        raise _failed(f"{key}: {error}") from None
    typer.echo(signature)
    typer.echo(signing.digest_of(content), err=True)


@plugin.command()
def verify(
    file: Annotated[Path, typer.Argument(help="What was signed.")],
    key: Annotated[list[Path], typer.Option(help="A public key that is trusted. May be given several times.")],
    signature: Annotated[str, typer.Option(help="The signature, or the file that holds it or a bundle of cosign.")],
    digest: Annotated[str, typer.Option(help="The digest that the file must have: sha256:...")] = "",
) -> None:
    """Verify that a file was signed with a trusted key. No network is used."""
    from slipway_runtime.plugins import signing

    content = _content(file)
    trusted = [signing.TrustedKey(pem=_content(each).decode(errors="replace")) for each in key]
    try:
        if digest:
            signing.check_digest(content, digest)
        found = signing.verify(content, _signature(signature), trusted)
    except signing.SignatureRefused as error:
        raise _failed(f"{file}: {error}") from None
    name = signing.fingerprint(signing.read_public_key(found.pem))
    typer.echo(f"{file}: verified. Digest {signing.digest_of(content)}, key {name}")


@plugin.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder with plugin.yaml and the files that it refers to.")] = Path(),
    key: Annotated[Path | None, typer.Option(help="Sign with this private key: PKCS#8 PEM.")] = None,
    password: Password = "",
) -> None:
    """Put a plugin's files into code.yaml, and their digest and signature into plugin.yaml."""
    from slipway_runtime.authoring.packing import CannotPack
    from slipway_runtime.authoring.packing import pack as packed

    try:
        made = packed(folder, private_key=_content(key) if key else None, password=password.encode() or None)
    except CannotPack as problem:
        raise _failed(str(problem)) from None
    signed = "signed" if made.signed else "not signed: give --key to sign it"
    typer.echo(f"{made.name}: {made.digest}, {signed}")
    typer.echo(f"Try it: slipway dev -f {folder}", err=True)


def _signature(given: str) -> str:
    """A signature that was given itself or as a file."""
    path = Path(given)
    try:
        return path.read_text(errors="replace") if path.is_file() else given
    except OSError:  # a bundle as text is no name that a file may have
        return given


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _failed(f"{path} cannot be read: {error.strerror}") from None


def _failed(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
