"""DNS_CHECK: does the name server answer, and with what it should? Keywords are keepalived's, and ``expect``."""

from typing import Any

from plugins.api import Failed, Passed, Target, checker, library, option

TYPES = ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY", "PTR", "SRV", "CAA", "HTTPS", "DS")
MOST_FOREIGN = 100
"""Answers to look at that are to other questions: a flood of them would let nothing else run."""


@checker("DNS_CHECK")
class DnsCheck:
    """Healthy when the name server answers the question without an error, and with the data that is expected."""

    type: str = option("SOA", help="type of the records asked for", choices=TYPES)
    name: str = option(".", help="name asked for", pattern=r"[!-~]{1,255}")
    expect: tuple[str, ...] = option((), help="data that must be among the answers, as zone files have it")

    def probe(self, target: Target) -> Passed:
        """Ask by UDP; by TCP what is too long for that, if its data matters."""
        dns = library("dns.message", "dns")
        question = _question(dns, self.name, self.type)
        reply = _by_udp(target, dns, question)
        if self.expect and reply.flags & library("dns.flags", "dns").TC:
            reply = _by_tcp(target, dns, question)
        return self._judged(reply)

    def _meant(self, expected: str) -> tuple[str, ...]:
        """The ways to write what is expected: a name may be without its last dot."""
        return (expected,) if self.type == "TXT" else (expected.lower(), f"{expected.lower()}.")

    def _judged(self, reply: Any) -> Passed:
        if reply.rcode():
            raise Failed(f"the answer is {library('dns.rcode', 'dns').to_text(reply.rcode())}")
        data = {_text(item) for records in reply.answer for item in records}
        missing = [each for each in self.expect if data.isdisjoint(self._meant(each))]
        if missing:
            raise Failed(f"not among the answers: {' '.join(missing)}")
        return Passed()


def _text(item: Any) -> str:
    """A record's data as it is compared: the strings of a TXT record as they are, in one, all else in small letters."""
    strings = getattr(item, "strings", None)
    return b"".join(strings).decode(errors="replace") if strings is not None else item.to_text().lower()


def _question(dns: Any, name: str, kind: str) -> Any:
    try:
        return dns.make_query(name, kind)
    except Exception as error:  # of the library, for what is no name
        raise Failed(f"{name!r} cannot be asked for: {error}") from None


def _by_udp(target: Target, dns: Any, question: Any) -> Any:
    with target.connect(udp=True) as sock:
        sock.send(question.to_wire())
        for _ in range(MOST_FOREIGN):
            reply = _parsed(dns, sock.recv(65536), question)
            if reply is not None:
                return reply
    raise Failed("only answers to other questions")


def _by_tcp(target: Target, dns: Any, question: Any) -> Any:
    packet = question.to_wire()
    with target.connect() as sock, sock.makefile("rb") as answers:
        sock.sendall(len(packet).to_bytes(2, "big") + packet)
        size = int.from_bytes(answers.read(2), "big")
        reply = _parsed(dns, answers.read(size), question)
    if reply is None:
        raise Failed("the answer by TCP is none to this question")
    return reply


def _parsed(dns: Any, packet: bytes, question: Any) -> Any:
    """The answer to ``question``, None for what is another's or makes no sense."""
    if packet[:2] != question.id.to_bytes(2, "big"):
        return None
    try:
        reply = dns.from_wire(packet, ignore_trailing=True, raise_on_truncation=False)
        return reply if question.is_response(reply) else None
    except Exception:  # of what strangers send anything can come
        return None
