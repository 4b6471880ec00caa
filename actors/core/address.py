"""An address as it is configured. Pure."""

import msgspec


class Address(msgspec.Struct, frozen=True):
    """An address with its prefix length, and where it goes (empty: the router's interface).

    ``broadcast`` is an address, ``+`` or ``-`` as with ``ip``; ``scope`` a name or 0..255; empty: none, global.
    """

    address: str
    prefix: int
    interface: str = ""
    label: str = ""
    scope: str = ""
    broadcast: str = ""

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"
