"""`slipway catalog`: finding plugins, agents and workflows, and writing their manifests. Nothing is ever applied."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway_runtime.cli_plugins import Password

if TYPE_CHECKING:
    from slipway_runtime.catalog.catalog import Catalog

catalog = typer.Typer(help="Find plugins, agents and workflows, and write their manifests.", no_args_is_help=True)

Source = Annotated[
    str, typer.Option("--catalog", help="A folder, its index.json, or an https address.", envvar="SLIPWAY_CATALOG")
]
Keys = Annotated[
    list[Path],
    typer.Option(
        "--key", help="Public key that may sign the catalogue. May be repeated.", envvar="SLIPWAY_CATALOG_KEY"
    ),
]


@catalog.command()
def search(
    source: Source,
    key: Keys,
    words: Annotated[list[str] | None, typer.Argument(help="All of them must be there.")] = None,
) -> None:
    """List what a catalogue has: with words, what has them in its name, description, author or keywords."""
    from slipway_runtime.version import VERSION

    opened = _open(source, key)
    for entry in opened.search(words or []):
        newest = entry.newest(slipway=VERSION)
        version = newest.version if newest else f"none for Slipway {VERSION}"
        _say(f"{entry.kind}/{entry.name} {version}  {entry.description}")


@catalog.command()
def show(source: Source, key: Keys, name: Annotated[str, typer.Argument(help="NAME or KIND/NAME.")]) -> None:
    """Show an entry of a catalogue with its versions."""
    from slipway_runtime.catalog.sources import CatalogProblem
    from slipway_runtime.version import VERSION

    opened = _open(source, key)
    try:
        entry, _ = opened.find(name)
    except CatalogProblem as problem:
        raise _failed(problem) from None
    _say(f"{entry.kind}/{entry.name}  {entry.description}")
    if entry.author:
        _say(f"by {entry.author}")
    for version in entry.versions:
        notes = [f"Slipway {version.slipway}"] if version.slipway else []
        notes += [] if version.works_with(VERSION) else ["not with this Slipway"]
        notes += [f"needs {', '.join(version.dependencies)}"] if version.dependencies else []
        _say(f"  {version.version}  {version.digest}  {'; '.join(notes)}".rstrip())


@catalog.command()
def install(
    source: Source,
    key: Keys,
    name: Annotated[str, typer.Argument(help="NAME, KIND/NAME, or either with ==VERSION.")],
    to: Annotated[Path, typer.Option(help="Folder that the manifest is written into.")] = Path(),
) -> None:
    """Write the manifest of an entry into a folder, after its digest and signature were verified. Apply it yourself."""
    from slipway_runtime.catalog.sources import CatalogProblem

    opened = _open(source, key)
    try:
        entry, version = opened.find(name)
        content = asyncio.run(opened.manifest(entry, version))
    except CatalogProblem as problem:
        raise _failed(problem) from None
    file = to / f"{entry.kind.lower()}-{entry.name}.yaml"
    if file.exists() and file.read_bytes() != content:
        raise _failed(f"{file} exists and is another one: move it away, or give --to another folder")
    to.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    _say(f"Wrote {file}: {entry.kind} {entry.name} {version.version}, {version.digest}")
    for each in version.dependencies:
        _say(f"It needs the plugin {each}: install that as well.")
    _say(f"Look at it, then: kubectl apply -f {file}")


@catalog.command()
def verify(source: Source, key: Keys) -> None:
    """Verify a catalogue: its signature, and the digest and validity of every manifest."""
    from slipway_runtime.catalog.sources import CatalogProblem

    opened = _open(source, key)
    problems, count = [], 0
    for entry in opened.index.entries:
        for version in entry.versions:
            count += 1
            try:
                asyncio.run(opened.manifest(entry, version))
            except CatalogProblem as problem:
                problems.append(str(problem))
    if problems:
        raise _failed("\n".join(problems))
    _say(f"{opened.index.name}: verified, {count} manifests")


@catalog.command("index")
def make_index(
    folder: Annotated[Path, typer.Argument(help="Folder of manifests, one file a version.")],
    key: Annotated[Path, typer.Option(help="The private key to sign with: PKCS#8 PEM.")],
    name: Annotated[str, typer.Option(help="Of the catalogue, for people.")],
    password: Password = "",
) -> None:
    """Make a folder of manifests a catalogue: write its index.json and sign it."""
    from slipway_runtime.catalog.indexing import write_index
    from slipway_runtime.catalog.sources import CatalogProblem

    try:
        made = write_index(folder, name=name, private_key=key.read_bytes(), password=password.encode() or None)
    except CatalogProblem as problem:
        raise _failed(problem) from None
    except OSError as error:
        raise _failed(f"{error.filename} cannot be read: {error.strerror}") from None
    _say(f"{folder}: {sum(len(each.versions) for each in made.entries)} manifests, signed")


def _open(source: str, keys: Sequence[Path]) -> "Catalog":
    from slipway_runtime.catalog.catalog import open_catalog
    from slipway_runtime.catalog.sources import CatalogProblem, reader
    from slipway_runtime.plugins.signing import TrustedKey

    try:
        trusted = [TrustedKey(pem=each.read_text(errors="replace")) for each in keys]
        return asyncio.run(open_catalog(reader(source), trusted))
    except CatalogProblem as problem:
        raise _failed(problem) from None
    except OSError as error:
        raise _failed(f"{error.filename} cannot be read: {error.strerror}") from None


def _say(text: str, *, err: bool = False) -> None:
    """What strangers wrote does nothing to the terminal."""
    from slipway_runtime.terminal import printable

    typer.echo(printable(text), err=err)


def _failed(message: object) -> typer.Exit:
    _say(str(message), err=True)
    return typer.Exit(1)
