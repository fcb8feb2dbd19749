"""The `devcluster` command."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from devcluster import base_image, binaries, checks, lifecycle, recipes, records, views
from devcluster.errors import DevclusterError
from devcluster.progress import console, say
from devcluster.settings import DEFAULT_MINOR, DEFAULT_NAME, cluster

app = typer.Typer(
    help="A real one-node Kubernetes built from Go modules. Start with `devcluster up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Name = Annotated[str, typer.Option("--name", envvar="DEVCLUSTER_NAME", help="Which cluster.")]
Minor = Annotated[str, typer.Option("--kubernetes", help="Minor version: 1.34 or 1.36.")]


def main() -> None:
    """Run the command line; errors that the user can act on become a message and status 1."""
    try:
        app()
    except DevclusterError as error:
        console.print(f"devcluster: {error}", markup=False, style="red", soft_wrap=True)
        sys.exit(1)


@app.command()
def up(
    name: Name = DEFAULT_NAME,
    kubernetes: Minor = DEFAULT_MINOR,
    api_only: Annotated[bool, typer.Option(help="Only etcd and the API server: no node, no pods.")] = False,
    install: Annotated[
        bool, typer.Option(help="Install missing Debian packages, or only list what is missing.")
    ] = True,
) -> None:
    """Start a cluster, or whatever of it is not running."""
    desired = cluster(name)
    checks.ensure(install=install)
    record = lifecycle.up(desired, minor=kubernetes, api_only=api_only)
    say(f"cluster {name} is up: https://127.0.0.1:{record.port}, Kubernetes {kubernetes}")
    command = Path(sys.executable).with_name("devcluster")
    say(f'  eval "$({command} env --name {name})" makes kubectl use it')
    say(f"  {command} kubectl --name {name} -- get pods -A")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def control_plane(context: typer.Context, kubernetes: Minor = DEFAULT_MINOR) -> None:
    """Run a command with a fresh API server in KUBECONFIG, which is gone afterwards: `control-plane -- pytest ...`."""
    if not context.args:
        raise DevclusterError("give a command to run after `--`")
    checks.ensure(install=True)
    desired = cluster(f"api-{os.getpid()}")
    try:
        lifecycle.up(desired, minor=kubernetes, api_only=True)
        env = {**os.environ, "KUBECONFIG": str(desired.kubeconfig)}
        done = subprocess.run(context.args, env=env, check=False)
    finally:
        lifecycle.down(desired)
    raise typer.Exit(done.returncode)


@app.command()
def down(name: Name = DEFAULT_NAME) -> None:
    """Remove a cluster with all that it has: processes, network, volumes, images."""
    checks.require_root()
    existed = lifecycle.down(cluster(name))
    say(f"cluster {name} is gone" if existed else f"there was no cluster {name}")


@app.command()
def status(name: Name = DEFAULT_NAME) -> None:
    """Show the cluster; the exit status is 0 only when all of it is healthy."""
    checks.require_root()
    seen = views.look(cluster(name))
    views.show(seen)
    if not seen.healthy:
        raise typer.Exit(1)


@app.command()
def check() -> None:
    """List what this machine lacks to run a cluster."""
    missing = checks.lacks(checks.look_around())
    if missing:
        raise DevclusterError(checks.describe(missing))
    say("nothing is missing")


@app.command()
def load_image(
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE.tar|NAME...", help="OCI archives, or images of buildah's.")
    ],
    name: Name = DEFAULT_NAME,
) -> None:
    """Load images into the cluster; prints the names to use in manifests (with imagePullPolicy: IfNotPresent)."""
    checks.require_root()
    for image in lifecycle.load_images(cluster(name), sources):
        typer.echo(image)


@app.command("base-image")
def make_base_image(
    rebuild: Annotated[bool, typer.Option(help="Build it even if buildah has it.")] = False,
) -> None:
    """Make the image slipway.local/base:12 (Debian 12 with Python) in buildah's store."""
    checks.require_root()
    typer.echo(base_image.ensure(rebuild=rebuild))


@app.command()
def kubeconfig(
    name: Name = DEFAULT_NAME,
    content: Annotated[bool, typer.Option("--print", help="Print the content instead of the path.")] = False,
) -> None:
    """Print where the cluster's kubeconfig is."""
    desired = cluster(name)
    records.require(desired)
    typer.echo(desired.kubeconfig.read_text() if content else desired.kubeconfig)


@app.command()
def env(name: Name = DEFAULT_NAME) -> None:
    """Print what makes kubectl in your shell use the cluster: `eval "$(devcluster env)"`."""
    desired = cluster(name)
    record = records.require(desired)
    folder = lifecycle.kubectl_binary(DEFAULT_MINOR if record.api_only else record.minor).parent
    typer.echo(f"export KUBECONFIG={shlex.quote(str(desired.kubeconfig))} PATH={shlex.quote(str(folder))}:$PATH")


@app.command()
def logs(
    component: Annotated[str, typer.Argument(help="A component as `devcluster status` lists it, or `audit`.")],
    name: Name = DEFAULT_NAME,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows.")] = False,
) -> None:
    """Print a component's log."""
    desired = cluster(name)
    records.require(desired)
    path = desired.logs / f"{component}.log"
    if not path.is_file():
        known = sorted(file.stem for file in desired.logs.glob("*.log") if not file.stem.startswith("audit-"))
        raise DevclusterError(f"there is no log of {component!r}: {', '.join(known)}")
    os.execvp("tail", ["tail", "-n", "+1", *(["-F"] if follow else []), str(path)])


@app.command()
def build(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(recipes.BUILDABLE)}.")],
    kubernetes: Minor = DEFAULT_MINOR,
) -> None:
    """Build a binary, unless it is in the cache, and print its path."""
    path = binaries.ensure(recipes.by_name(what, kubernetes))
    typer.echo(path.with_name("kubectl") if what == "kubectl" else path)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kubectl(context: typer.Context, name: Name = DEFAULT_NAME) -> None:
    """Run kubectl on the cluster: `devcluster kubectl -- get pods -A`."""
    desired = cluster(name)
    record = records.require(desired)
    binary = lifecycle.kubectl_binary(DEFAULT_MINOR if record.api_only else record.minor)
    os.execve(binary, ["kubectl", *context.args], {**os.environ, "KUBECONFIG": str(desired.kubeconfig)})


@app.command()
def expose(
    door: Annotated[str, typer.Argument(help="What to call it.")],
    to: Annotated[str, typer.Option("--to", help="ADDRESS:PORT in the cluster, or SERVICE.NAMESPACE:PORT.")],
    port: Annotated[int | None, typer.Option(help="Port of 127.0.0.1; any free one when left out.")] = None,
    name: Name = DEFAULT_NAME,
) -> None:
    """Make an address in the cluster reachable at a port of 127.0.0.1, until `unexpose` or `down`."""
    checks.require_root()
    opened = lifecycle.expose(cluster(name), door, to, port)
    typer.echo(f"127.0.0.1:{opened.port}")


@app.command()
def unexpose(door: Annotated[str, typer.Argument(help="What it is called.")], name: Name = DEFAULT_NAME) -> None:
    """Close what `expose` opened."""
    checks.require_root()
    lifecycle.unexpose(cluster(name), door)
