"""IPVS as a whole, apart from its services: when connections are forgotten, and who is told of them. Pure values."""

import msgspec

MASTER, BACKUP = "master", "backup"


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds without a packet after which a connection is forgotten; 0 is what the kernel has."""

    tcp: int = 0
    tcpfin: int = 0
    udp: int = 0

    def over(self, other: "Timeouts") -> "Timeouts":
        """These, and the other's where they are 0."""
        return Timeouts(self.tcp or other.tcp, self.tcpfin or other.tcpfin, self.udp or other.udp)


class Daemon(msgspec.Struct, frozen=True):
    """Tells other machines of connections (``master``), or is told by them (``backup``), on an interface.

    They are those with the same ``id``, 0 to 255. What is 0 or empty is the kernel's to choose.
    """

    state: str
    interface: str
    id: int = 0
    maxlen: int = 0
    port: int = 0
    ttl: int = 0
    group: str = ""

    def is_met_by(self, running: "Daemon") -> bool:
        """Whether a running daemon is as this one says; the kernel fits ``maxlen`` to the interface."""
        if (self.state, self.interface, self.id) != (running.state, running.interface, running.id):
            return False
        return all(
            mine in (0, "", its)
            for mine, its in ((self.port, running.port), (self.ttl, running.ttl), (self.group, running.group))
        )
