"""What concerns IPVS's table as a whole: emptying it, timeouts, the daemons that tell of connections."""

import errno
from collections.abc import Callable
from typing import TypeVar

from pyroute2.netlink.generic import ipvs as commands

from actors.core.whole import Daemon, Timeouts
from actors.planes import PlaneError
from actors.planes.ipvs import whole_codec

Decoded = TypeVar("Decoded")

Ask = Callable[..., list[bytes]]
"""``(doing, command, more=attributes, dump=False, hint=None)``; raises `PlaneError`."""


class IpvsWhole:
    """See `WholeTable`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def flush(self) -> None:
        """See `WholeTable.flush`."""
        self._ask("emptying the table", commands.IPVS_CMD_FLUSH)

    def timeouts(self) -> Timeouts:
        """See `WholeTable.timeouts`."""
        doing = "reading the timeouts"
        replies = self._ask(doing, commands.IPVS_CMD_GET_CONFIG)
        if not replies:
            raise PlaneError(f"{doing}: the kernel gave no answer")
        return _decoded(doing, whole_codec.decode_timeouts, replies[0])

    def set_timeouts(self, wanted: Timeouts) -> None:
        """See `WholeTable.set_timeouts`."""
        self._ask("setting the timeouts", commands.IPVS_CMD_SET_CONFIG, more=whole_codec.timeouts(wanted))

    def daemons(self) -> tuple[Daemon, ...]:
        """See `WholeTable.daemons`."""
        doing = "reading the sync daemons"
        replies = self._ask(doing, commands.IPVS_CMD_GET_DAEMON, dump=True)
        return tuple(_decoded(doing, whole_codec.decode_daemon, payload) for payload in replies)

    def start(self, daemon: Daemon) -> None:
        """See `WholeTable.start`."""
        hint = {
            errno.EEXIST: "one runs already",
            errno.ENODEV: f"there is no interface {daemon.interface}",
            errno.EINVAL: "none can run while a service has servers of the other family",
        }
        doing = f"starting the sync daemon ({daemon.state})"
        self._ask(doing, commands.IPVS_CMD_NEW_DAEMON, more=whole_codec.daemon(daemon), hint=hint)

    def stop(self, state: str) -> None:
        """See `WholeTable.stop`."""
        doing = f"stopping the sync daemon ({state})"
        hint = {errno.ESRCH: "none runs"}
        self._ask(doing, commands.IPVS_CMD_DEL_DAEMON, more=whole_codec.which_daemon(state), hint=hint)


def _decoded(doing: str, decode: Callable[[bytes], Decoded], payload: bytes) -> Decoded:
    try:
        return decode(payload)
    except ValueError as error:
        raise PlaneError(f"{doing}: the kernel's answer is not understood: {error}") from None
