"""The commands behind `make demo` and `make down`, and `python -m slipway_demo images`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from devcluster.errors import DevclusterError
from devcluster.progress import console
from devcluster.settings import DEFAULT_NAME
from slipway_demo import builders, clusters, demo, releases
from slipway_demo.errors import DemoError
from slipway_demo.images import ALL
from slipway_demo.model import parse

app = typer.Typer(
    help="From an empty machine to an agent answering on real Kubernetes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Context = Annotated[str | None, typer.Option(help="A context of your kubeconfig: use that cluster.")]
Name = Annotated[str, typer.Option(help="Name of the devcluster, where one is used.")]

Registry = Annotated[str, typer.Option(help="HOST/PATH of a registry.")]
Tag = Annotated[str, typer.Option(help="Version of the release; a chart needs MAJOR.MINOR.PATCH.")]


def main() -> None:
    """Run the command line; errors that the user can act on become a message and status 1."""
    try:
        app()
    except (DemoError, DevclusterError) as error:
        console.print(f"\n{error}", markup=False, style="red", soft_wrap=True)
        sys.exit(1)


@app.command()
def up(
    context: Context = None,
    registry: Annotated[str | None, typer.Option(help="host/path that the named cluster pulls images from.")] = None,
    docs: Annotated[Path | None, typer.Option(help="Your own text and Markdown files.", exists=True)] = None,
    ask: Annotated[str | None, typer.Option(help="The first question.")] = None,
    model: Annotated[
        str | None, typer.Option(help="provider:model that writes answers; its key is in the environment.")
    ] = None,
    model_base_url: Annotated[str, typer.Option(help="Where the model is, if not at the provider's address.")] = "",
    name: Name = DEFAULT_NAME,
) -> None:
    """Start a cluster, install Slipway, ingest documents and ask a question."""
    if model_base_url and not model:
        raise DemoError("MODEL_BASE_URL says where a model is: say which one, like MODEL=openai-compatible:llama3.2")
    written_by = parse(model, base_url=model_base_url) if model else None
    demo.up(clusters.choose(context=context, registry=registry, name=name), docs=docs, ask=ask, model=written_by)


@app.command()
def down(context: Context = None, name: Name = DEFAULT_NAME) -> None:
    """Remove what `up` made."""
    demo.down(clusters.choose(context=context, registry=None, name=name))


@app.command()
def archives(
    to: Annotated[Path, typer.Option(help="Folder for the archives.")],
    syft: Annotated[Path, typer.Option(help="The syft program, which writes the SBOMs.", exists=True)],
) -> None:
    """Build the images that are missing, and write each as an OCI archive with its SBOM and digest."""
    releases.write_archives(builders.choose(), to, syft=syft)


@app.command()
def publish_images(
    registry: Registry, tag: Tag, to: Annotated[Path, typer.Option(help="Folder for digests.json.")]
) -> None:
    """Push every image to a registry and write the digests that they have there."""
    releases.publish_images(builders.choose(), registry, tag, to, os.environ)


@app.command()
def publish_chart(
    registry: Registry, tag: Tag, to: Annotated[Path, typer.Option(help="Folder for chart.json.")]
) -> None:
    """Package the chart, push it to oci://REGISTRY/charts and write the digest that it has there."""
    releases.publish_chart(clusters.helm(), registry, tag, to, os.environ)


@app.command()
def images() -> None:
    """Build the images that are missing and print their names."""
    for image, tag in builders.ensure(builders.choose(), ALL).items():
        typer.echo(builders.local_reference(image, tag))
