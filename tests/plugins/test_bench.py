"""The peers that the dials are measured against do the work that they claim to."""

import pytest

from bench.bare import KINDS, measure, serving


@pytest.mark.parametrize("kind", KINDS)
def test_every_peer_passes_its_checks_at_the_rate(kind):
    with serving(kind) as port:
        figures = [measure(peer, kind, rate=100, seconds=0.3, port=port) for peer in ("bare", "dial")]
    assert [figure["failed"] for figure in figures] == [0, 0]
    assert all(20 <= figure["passed"] <= 60 and figure["cpu_us"] > 0 for figure in figures)
