"""Where a door may lead."""

from pathlib import Path

import pytest

from devcluster import doors
from devcluster.addons import Kubectl
from devcluster.errors import DevclusterError
from devcluster.settings import Cluster


class FakeKubectl(Kubectl):
    """Answers with one service's address, and remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        super().__init__(Path("kubectl"), Cluster("x"))
        self.answer, self.asked = answer, list[tuple[str, ...]]()

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        self.asked.append(arguments)
        return self.answer


@pytest.mark.parametrize("target", ["", "80", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:x", "a.b:0", "a.b:65536"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(DevclusterError, match=r"write ADDRESS:PORT or SERVICE.NAMESPACE:PORT"):
        doors.parse_target(target)


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "-a", "a" * 41])
def test_a_door_is_called_so_that_a_file_can_be(name: str) -> None:
    with pytest.raises(DevclusterError, match="cannot be a door's name"):
        doors.process_name(name)


def test_no_door_takes_the_place_of_the_api_servers() -> None:
    assert doors.process_name("api") != doors.API_DOOR


def test_an_address_is_taken_as_it_is() -> None:
    kubectl = FakeKubectl("")
    assert doors.resolve("10.96.0.20:80", kubectl) == "10.96.0.20:80"
    assert kubectl.asked == []


@pytest.mark.parametrize("target", ["gateway.slipway:80", "gateway.slipway.svc:80"])
def test_a_service_is_looked_up(target: str) -> None:
    kubectl = FakeKubectl("10.96.7.7")
    assert doors.resolve(target, kubectl) == "10.96.7.7:80"
    assert kubectl.asked[0][:5] == ("--namespace", "slipway", "get", "service", "gateway")


@pytest.mark.parametrize(
    ("target", "answer"), [("gateway:80", ""), ("a.b.c:80", ""), ("a.b:80", "None"), ("a.b:80", "")]
)
def test_what_leads_nowhere_is_refused(target: str, answer: str) -> None:
    with pytest.raises(DevclusterError, match=r"neither an address nor SERVICE.NAMESPACE|no address of its own"):
        doors.resolve(target, FakeKubectl(answer))
