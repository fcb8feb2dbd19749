"""What leaves this machine: images as archives with their SBOM, images in a registry, the chart in a registry."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devcluster.archives import references
from devcluster.commands import run
from devcluster.progress import say, step
from slipway_demo import builders, paths
from slipway_demo.builders import Builder, is_loopback, local_reference
from slipway_demo.errors import DemoError
from slipway_demo.images import ALL

DIGESTS = "digests.json"
PUSHED = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


def write_archives(builder: Builder, folder: Path, *, syft: Path) -> None:
    """Each image as NAME.oci.tar with its SBOM NAME.cdx.json (CycloneDX), and the digests of all in digests.json.

    Raises DemoError or DevclusterError when an image cannot be built or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digests: dict[str, Any] = {}
    for name, tag in builders.ensure(builder, ALL).items():
        reference, archive = local_reference(name, tag), folder / f"{name}.oci.tar"
        with step(f"writing {archive}"):
            builder.save(reference, archive)
        with step(f"writing the SBOM of {name}"):
            write_sbom(archive, folder / f"{name}.cdx.json", name=name, version=tag, syft=syft)
        digests[name] = {"tag": tag, "digest": only_digest(archive)}
    write(folder / DIGESTS, digests)


def write_sbom(archive: Path, sbom: Path, *, name: str, version: str, syft: Path) -> None:
    """What syft finds in an archive, as CycloneDX JSON."""
    source = [f"--source-name=slipway-{name}", f"--source-version={version}"]
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    run([str(syft), "scan", f"oci-archive:{archive}", *source, f"--output=cyclonedx-json={sbom}"], env=environment)


def only_digest(archive: Path) -> str:
    """The digest of the one image in an OCI archive. Raises DevclusterError where it is none (Docker before 25)."""
    (digest,) = set(references(archive).values())
    return digest


def publish_images(builder: Builder, registry: str, tag: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Push every image as REGISTRY/NAME:TAG and write the digests that they have there: those are what is signed.

    Signs in with REGISTRY_USER and REGISTRY_PASSWORD where they are set.
    """
    if found := credentials(environment):
        builder.sign_in(host_of(registry), *found)
    published: dict[str, Any] = {}
    for name, local in builders.ensure(builder, ALL).items():
        with step(f"pushing {registry}/{name}:{tag}"):
            digest = builder.push(local_reference(name, local), f"{registry}/{name}:{tag}")
        published[name] = {"image": f"{registry}/{name}", "tag": tag, "digest": digest}
    write(folder / DIGESTS, published)


def publish_chart(helm: str, registry: str, tag: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Push the chart as version TAG, which is also the images' tag, to oci://REGISTRY/charts, and write its digest.

    Raises DemoError when helm does not say which digest it pushed.
    """
    plain = ["--plain-http"] if is_loopback(registry) else []
    if found := credentials(environment):
        user, password = found
        login = ["registry", "login", host_of(registry), f"--username={user}", "--password-stdin"]
        run([helm, *login, *plain], stdin=password)
    with tempfile.TemporaryDirectory() as scratch, step(f"pushing the chart {tag} to oci://{registry}/charts"):
        versions = [f"--version={tag}", f"--app-version={tag}"]
        run([helm, "package", str(paths.CHART), *versions, f"--destination={scratch}"])
        (package,) = Path(scratch).glob("*.tgz")
        digest = push_chart([helm, "push", str(package), f"oci://{registry}/charts", *plain])
    published = {"chart": {"image": f"{registry}/charts/slipway", "tag": tag, "digest": digest}}
    write(folder / "chart.json", published)


def push_chart(command: Sequence[str]) -> str:
    """The digest of the chart that was pushed; helm 3 says it on standard error, helm 4 on standard output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    found = PUSHED.search(done.stdout)
    if done.returncode != 0 or not found:
        raise DemoError(f"helm could not push the chart, or did not say its digest:\n{done.stdout.strip()}")
    return found[1]


def credentials(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password of the registry; None where neither is set. Raises DemoError where only one is."""
    user, password = environment.get("REGISTRY_USER"), environment.get("REGISTRY_PASSWORD")
    if bool(user) != bool(password):
        raise DemoError("set both REGISTRY_USER and REGISTRY_PASSWORD, or neither and sign in yourself")
    return (user, password) if user and password else None


def host_of(registry: str) -> str:
    """The part of HOST/PATH that one signs in to."""
    return registry.partition("/")[0]


def write(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON file, and where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
    say(f"digests: {path}")
