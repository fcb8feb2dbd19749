"""A real Kafka of the test's own: one KRaft node on a loopback port. Needs Java and Maven, which brings it once.

`python -m tests.support.kafka_server` serves one until Ctrl-C, to try the example by hand.
"""

import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.npm import CACHE
from tests.support.postgres_tls import certificate
from tests.support.servers import DEADLINE, free_port

POM = Path(__file__).with_name("kafka") / "pom.xml"
MEMORY = ("-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def installed() -> Path:
    """The folder with Kafka's jars. Maven copies them once into the cache."""
    cache = CACHE / "kafka"
    home = cache / hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        if not (home / "installed").is_file():
            if shutil.which("mvn") is None or shutil.which("java") is None:
                raise RuntimeError("Kafka needs Java and Maven: apt-get install maven")
            shutil.copy(POM, home)
            copy = [
                "mvn",
                "-q",
                "-B",
                "dependency:copy-dependencies",
                "-DoutputDirectory=lib",
                "-DincludeScope=runtime",
            ]
            subprocess.run(copy, cwd=home, check=True, capture_output=True)
            (home / "installed").touch()
    return home / "lib"


class KafkaServer:
    """One broker, which may be stopped and started again with the data that it had.

    Args:
        folder: where its data is.
        host: the address where it listens.
        port: any if left out.
        secured: whether clients speak TLS, and sign in as `me` with the password `secret` (SCRAM-SHA-512).
    """

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", port: int | None = None, secured: bool = False
    ) -> None:
        self.brokers = f"{'localhost' if secured else host}:{port or free_port()}"
        self.authorities = certificate(folder, "kafka") if secured else None
        """The certificate that clients trust."""
        self._folder = folder
        self._log = folder / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._format()

    def _format(self) -> None:
        control = free_port()
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{control}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{self._protocol}://{self.brokers},CONTROLLER://127.0.0.1:{control}",
            "advertised.listeners": f"{self._protocol}://{self.brokers}",
            "inter.broker.listener.name": self._protocol,
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{self._protocol}:{self._protocol}",
            "log.dirs": str(self._folder / "data"),
            "num.partitions": "2",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        settings |= self._security()
        self._settings.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        login = ("--add-scram", "SCRAM-SHA-512=[name=me,password=secret]") if self.authorities else ()
        command = ("format", "-t", cluster, "-c", str(self._settings), *login)
        self._java("kafka.tools.StorageTool", *command).wait(DEADLINE)

    @property
    def _protocol(self) -> str:
        return "SASL_SSL" if self.authorities else "PLAINTEXT"

    def _security(self) -> dict[str, str]:
        if self.authorities is None:
            return {}
        pem = self._folder / "keystore.pem"
        pem.write_bytes(self.authorities.with_suffix(".key").read_bytes() + self.authorities.read_bytes())
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pem),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authorities),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                f'{module} required username="me" password="secret";'
            ),
        }

    @property
    def _settings(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = ["java", *MEMORY, "-cp", f"{installed()}/*", main, *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._process = self._java("kafka.Kafka", str(self._settings))
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not come up: {self._log.read_text()[-3000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        host, _, port = self.brokers.partition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=1):
                return True
        except OSError:
            return False

    def stop(self, *, kill: bool = True) -> None:
        """Stop it, politely or not."""
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(DEADLINE)
            self._process = None


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that the tests of a process share: keep to topics of your own."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


def main() -> None:
    """Serve one until Ctrl-C."""
    with tempfile.TemporaryDirectory() as folder:
        server = KafkaServer(Path(folder), port=int(sys.argv[1]) if len(sys.argv) > 1 else 9092)
        server.start()
        sys.stdout.write(f"Kafka listens at {server.brokers}; Ctrl-C stops it\n")
        try:
            while server._process is not None:
                server._process.wait()
        except KeyboardInterrupt:
            server.stop()


if __name__ == "__main__":
    main()
