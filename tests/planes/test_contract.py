"""Every data plane under the one contract."""

from actors.planes import DataPlane
from actors.planes.ipvs import IpvsPlane
from actors.planes.memory import MemoryPlane
from actors.planes.userspace import UserspacePlane
from tests.planes.contract import DataPlaneContract
from tests.planes.kernel import Kernel


class TestMemoryPlane(DataPlaneContract):
    def make(self) -> DataPlane:
        return MemoryPlane()


class TestIpvsPlane(DataPlaneContract):
    def make(self) -> DataPlane:
        return IpvsPlane(Kernel, limit=1.0)


class TestUserspacePlane(DataPlaneContract):
    carries_marks = False
    stays = False

    def make(self) -> DataPlane:
        return UserspacePlane()
