"""Placeholder until the kernel plane is merged."""
from actors.planes import PlaneUnavailable
class IpvsPlane:
    name="ipvs"
    def open(self): raise PlaneUnavailable("not merged yet")
