"""Each test has a network namespace of its own, and with it a table of its own that is empty."""

from collections.abc import Iterator

import pytest

from actors.planes.ipvs import IpvsPlane
from tests.kernel.inside.space import own_namespace


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Go to a new namespace; the one before goes when nobody is in it."""
    own_namespace()


@pytest.fixture
def plane(fresh: None) -> Iterator[IpvsPlane]:
    """The plane, open."""
    made = IpvsPlane()
    made.open()
    yield made
    made.close()
