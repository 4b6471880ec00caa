"""UDP_CHECK: does anybody listen, and answer as expected? Keywords and meaning are keepalived's."""

from plugins.api import Failed, Passed, Target, checker, option

USUAL = b"keepalived check - keepalived ch"
"""What is sent when nothing is said: 32 bytes, keepalived's own."""

SPARE = 0.05
"""Part of the time limit that is left when silence has lasted long enough: a probe that takes all of it is late."""


@checker("UDP_CHECK")
class UdpCheck:
    """Healthy when no ICMP error comes back within the time limit, or the answer that is required."""

    payload: tuple[str, ...] = option((), help="hexadecimal digits to send", pattern=r"[0-9A-Fa-f]+")
    require_reply: tuple[str, ...] = option(
        (),
        help="an answer must come, and match these digits; X is any",
        pattern="[0-9A-FXa-fx]+",
        bare=("",),
    )
    min_reply_length: int = option(0, help="shortest answer", unit="bytes", min=0, max=65535)
    max_reply_length: int = option(255, help="longest answer", unit="bytes", min=0, max=65535)

    def probe(self, target: Target) -> Passed:
        """Send, and listen for as long as it takes."""
        digits = "".join(self.payload)
        if len(digits) % 2:
            raise Failed("the payload has an odd number of digits")
        with target.connect(udp=True) as sock:
            sock.send(bytes.fromhex(digits) or USUAL)
            sock.settimeout(target.remaining() * (1 - SPARE))
            try:
                reply = sock.recv(65536)
            except TimeoutError:
                if self.require_reply:
                    raise Failed("no answer") from None
                return Passed()
        return self._judged(reply)

    def _judged(self, reply: bytes) -> Passed:
        wanted = "".join(self.require_reply).upper()
        if wanted:
            if not self.min_reply_length <= len(reply) <= self.max_reply_length:
                raise Failed(f"the answer is not of {self.min_reply_length} to {self.max_reply_length} bytes")
            pairs = zip(wanted, reply.hex().upper(), strict=False)  # keepalived compares what both have
            if not all(digit in ("X", found) for digit, found in pairs):
                raise Failed("the answer does not match")
        return Passed()
