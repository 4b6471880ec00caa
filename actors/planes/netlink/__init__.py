"""rtnetlink: virtual addresses put on and taken off, and what the kernel says of links.

pyroute2 is the codec; the sockets are gevent's. Making these objects opens nothing: their first use does.
"""

from actors.planes.netlink.addresses import NetlinkAddresses
from actors.planes.netlink.devices import NetlinkDevices
from actors.planes.netlink.links import NetlinkLinks

__all__ = ["NetlinkAddresses", "NetlinkDevices", "NetlinkLinks"]
