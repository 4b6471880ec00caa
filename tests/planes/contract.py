"""What every data plane does alike. A class for each plane in test_contract.py inherits these tests."""

import socket
from collections.abc import Callable, Iterator

import pytest

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Loads,
    Pool,
    Service,
    ServiceKey,
    attempt,
    plan,
)
from actors.planes import DataPlane, PlaneError

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def free_port(family: int, kind: int) -> int:
    with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind) as sock:
        sock.bind((LOOPBACK[family], 0))
        return int(sock.getsockname()[1])


def key_of(family: int = 4, protocol: str = "tcp") -> ServiceKey:
    """A service that every plane can carry on this machine."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    return ServiceKey(family, LOOPBACK[family], free_port(family, kind), protocol)


A, B = Destination("127.0.0.2", 8001), Destination("127.0.0.2", 8002, 3)
A6, B6 = Destination("::1", 8001), Destination("::1", 8002, 7)
FAR = Destination("::1", 8001, method="TUN")
"""IPv6 behind a service of IPv4: through a tunnel alone, says the kernel."""

Case = Callable[[ServiceKey, ServiceKey], Edit]
REFUSED: dict[str, tuple[Case, str]] = {
    "a service twice": (lambda held, other: AddService(Service(held)), "it is there already"),
    "a change of a service that is not there": (lambda held, other: EditService(Service(other)), "no such service"),
    "the removal of a service that is not there": (lambda held, other: DeleteService(other), "no such service"),
    "a server twice": (lambda held, other: AddDestination(held, A), "it is there already"),
    "a server of no service": (lambda held, other: AddDestination(other, A), "no such service"),
    "a change in no service": (lambda held, other: EditDestination(other, A), "no such service"),
    "a removal from no service": (lambda held, other: DeleteDestination(other, A), "no such service"),
    "a change of a server that is not there": (lambda held, other: EditDestination(held, B), "no such real server"),
    "a removal of a server that is not there": (lambda held, other: DeleteDestination(held, B), "no such real server"),
}


def snapshot(plane: DataPlane) -> dict[ServiceKey, tuple[Service, frozenset[Destination]]]:
    """All that a plane holds, whatever the order."""
    pools = {key: plane.read(key) for key in plane.services()}
    return {key: (pool.service, frozenset(pool.destinations)) for key, pool in pools.items() if pool}


def put(plane: DataPlane, *edits: Edit) -> None:
    for edit in edits:
        plane.apply(edit)


class DataPlaneContract:
    """Tests of one plane; a subclass makes it in ``make``."""

    carries_marks = True
    stays = True

    def make(self) -> DataPlane:
        raise NotImplementedError

    @pytest.fixture
    def plane(self) -> Iterator[DataPlane]:
        plane = self.make()
        plane.open()
        yield plane
        plane.close()

    def test_a_new_plane_holds_nothing(self, plane: DataPlane) -> None:
        key = key_of()
        assert (plane.services(), plane.read(key), plane.loads(key)) == ((), None, Loads())

    @pytest.mark.parametrize(
        ("family", "protocol", "servers"),
        [(4, "tcp", (A, B)), (4, "udp", (A, B)), (6, "tcp", (A6, B6)), (6, "udp", (A6,)), (4, "tcp", (A, FAR))],
    )
    def test_what_was_added_is_read_back(
        self, plane: DataPlane, family: int, protocol: str, servers: tuple[Destination, ...]
    ) -> None:
        service = Service(key_of(family, protocol))
        put(plane, *plan(Pool(service, servers), None))
        assert snapshot(plane) == {service.key: (service, frozenset(servers))}

    @pytest.mark.parametrize(
        "attributes",
        [
            {"scheduler": "rr"},
            {"scheduler": "sh", "flags": ("sh-fallback", "sh-port")},
            {"scheduler": "mh", "flags": ("mh-fallback",)},
            {"scheduler": "wrr", "flags": ("ops",)},
            {"persistence_timeout": 360},
            {"persistence_timeout": 50, "persistence_prefix": 24},
            {"persistence_timeout": 50, "persistence_prefix": 0},
        ],
        ids=str,
    )
    def test_every_attribute_of_a_service_is_read_back(self, plane: DataPlane, attributes: dict[str, object]) -> None:
        service = Service(key_of(protocol="udp"), **attributes)  # type: ignore[arg-type]
        put(plane, AddService(service))
        assert snapshot(plane) == {service.key: (service, frozenset())}

    def test_a_service_changes_in_place(self, plane: DataPlane) -> None:
        before = Service(key_of(), "sh", ("sh-port",), 60, 16)
        after = Service(before.key, "wrr")
        put(plane, AddService(before), AddDestination(before.key, A), EditService(after))
        assert snapshot(plane) == {before.key: (after, frozenset({A}))}

    @pytest.mark.parametrize(
        "changed", [Destination(*A.key, 9), Destination(*A.key, 0), Destination(*A.key, 1, "NAT", 9, 4)]
    )
    def test_a_server_changes_in_place(self, plane: DataPlane, changed: Destination) -> None:
        service = Service(key_of())
        put(plane, AddService(service), AddDestination(service.key, A), AddDestination(service.key, B))
        put(plane, EditDestination(service.key, changed))
        assert snapshot(plane) == {service.key: (service, frozenset({changed, B}))}

    def test_a_server_is_removed_by_its_address_and_port(self, plane: DataPlane) -> None:
        service = Service(key_of())
        put(plane, AddService(service), AddDestination(service.key, A), AddDestination(service.key, B))
        put(plane, DeleteDestination(service.key, Destination(*A.key, 99)))
        assert snapshot(plane) == {service.key: (service, frozenset({B}))}

    def test_a_service_goes_with_its_servers(self, plane: DataPlane) -> None:
        going, staying = Service(key_of()), Service(key_of())
        put(plane, AddService(going), AddDestination(going.key, A), AddService(staying), AddDestination(staying.key, B))
        put(plane, DeleteService(going.key))
        assert snapshot(plane) == {staying.key: (staying, frozenset({B}))}

    def test_a_service_that_went_can_come_back_empty(self, plane: DataPlane) -> None:
        service = Service(key_of())
        put(plane, AddService(service), AddDestination(service.key, A), DeleteService(service.key), AddService(service))
        assert snapshot(plane) == {service.key: (service, frozenset())}

    def test_a_plan_brings_one_pool_to_another(self, plane: DataPlane) -> None:
        key = key_of()
        first = Pool(Service(key, "rr"), (A, B))
        second = Pool(Service(key, "wlc", (), 30), (Destination(*B.key, 5), FAR))
        put(plane, *plan(first, None), *plan(second, first))
        assert plan(second, plane.read(key)) == ()

    @pytest.mark.parametrize("what", REFUSED)
    def test_an_impossible_edit_is_refused_and_changes_nothing(self, plane: DataPlane, what: str) -> None:
        edit_of, reason = REFUSED[what]
        held, other = key_of(), key_of(6)
        put(plane, AddService(Service(held)), AddDestination(held, A))
        before, edit = snapshot(plane), edit_of(held, other)
        with pytest.raises(PlaneError) as caught:
            plane.apply(edit)
        assert str(caught.value).startswith(f"{attempt(edit)}: ")
        assert reason in str(caught.value)
        assert snapshot(plane) == before

    def test_figures_are_told_for_each_server(self, plane: DataPlane) -> None:
        key = key_of()
        put(plane, AddService(Service(key)), AddDestination(key, A), AddDestination(key, B))
        assert set(plane.loads(key).servers) == {A.key, B.key}

    def test_a_plane_that_is_left_carries_out_nothing_more(self, plane: DataPlane) -> None:
        if not self.stays:
            return
        service = Service(key_of())
        put(plane, AddService(service))
        plane.leave()
        put(plane, DeleteService(service.key))
        assert plane.read(service.key) == Pool(service)

    def test_a_firewall_mark_is_held_or_refused_in_words(self, plane: DataPlane) -> None:
        four, six = Service(ServiceKey(4, fwmark=7)), Service(ServiceKey(6, fwmark=7), "rr")
        if self.carries_marks:
            put(plane, AddService(four), AddService(six), AddDestination(four.key, A))
            assert snapshot(plane) == {four.key: (four, frozenset({A})), six.key: (six, frozenset())}
            return
        with pytest.raises(PlaneError, match="firewall mark 7"):
            plane.apply(AddService(four))
        assert snapshot(plane) == {}

    def test_closing_twice_does_no_harm(self, plane: DataPlane) -> None:
        plane.close()
        plane.close()
