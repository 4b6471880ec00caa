"""The kernel's table under the contract of all data planes."""

from actors.planes import DataPlane
from actors.planes.ipvs import IpvsPlane
from tests.planes.contract import DataPlaneContract


class TestRealKernel(DataPlaneContract):
    def make(self) -> DataPlane:
        return IpvsPlane()
