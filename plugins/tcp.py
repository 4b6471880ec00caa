"""TCP_CHECK: does the port answer?"""

from plugins.api import Passed, Target, checker


@checker("TCP_CHECK")
class TcpCheck:
    """Healthy when a TCP connection is accepted; nothing is sent."""

    def probe(self, target: Target) -> Passed:
        """Connect and close; a refusal is the dial's OSError."""
        with target.connect():
            return Passed()
