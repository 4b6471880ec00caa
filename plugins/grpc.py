"""GRPC_CHECK: does a gRPC server say that it is serving? By its health protocol, grpc.health.v1."""

from typing import Any

from plugins.api import Encryption, Failed, Lent, Passed, Target, checker, conversation, library, option

PATH = "/grpc.health.v1.Health/Check"
LARGEST = 1024
"""Bytes of an answer, which needs seven."""

_CHUNK = 16 * 1024
_STREAM = 1
_SERVING = 1
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_CODES = "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED"
_CODES += " RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS"
_NAMES = {str(number): name for number, name in enumerate(f"{_CODES} UNAUTHENTICATED".split())}


@checker("GRPC_CHECK")
class GrpcCheck(Encryption):
    """Healthy when grpc.health.v1.Health/Check answers SERVING."""

    service: str = option("", help="service to ask for; the whole server when empty", pattern=r"[!-~]{0,100}")
    authority: str = option("", help="name of the server for :authority, instead of address and port", pattern="[!-~]*")

    def probe(self, target: Target) -> Passed:
        """Ask once, on a connection of its own."""
        http2 = library("h2.connection", "grpc")
        events = library("h2.events", "grpc")
        with conversation(target.connect(self.encryption("h2")), "gRPC over HTTP/2") as sock:
            client = http2.H2Connection(library("h2.config", "grpc").H2Configuration(header_encoding="utf-8"))
            client.initiate_connection()
            client.send_headers(_STREAM, self._headers(target))
            client.send_data(_STREAM, _message(self.service), end_stream=True)
            return _judged(_heard(events, client, sock))

    def _headers(self, target: Target) -> list[tuple[str, str]]:
        address = f"[{target.address}]" if ":" in target.address else target.address
        return [
            (":method", "POST"),
            (":scheme", "https" if self.encryption() else "http"),
            (":path", PATH),
            (":authority", self.authority or self.server_name or f"{address}:{target.port}"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", "understudy"),
            ("grpc-timeout", f"{max(int(target.remaining() * 1000), 1)}m"),
        ]


class _Answer:
    """The answer while it arrives."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.done = False


def _heard(events: Any, client: Any, sock: Lent) -> _Answer:
    answer = _Answer()
    sock.sendall(client.data_to_send())
    while not answer.done:
        for event in client.receive_data(sock.recv(_CHUNK)):
            _feed(events, answer, event)
        sock.sendall(client.data_to_send())
    return answer


def _feed(events: Any, answer: _Answer, event: Any) -> None:
    if isinstance(event, events.ResponseReceived | events.TrailersReceived):
        answer.headers |= dict(event.headers)
    elif isinstance(event, events.DataReceived):
        answer.body += event.data
        if len(answer.body) > LARGEST:
            raise Failed(f"an answer larger than {LARGEST} bytes")
    elif isinstance(event, events.StreamEnded):
        answer.done = True
    elif isinstance(event, events.StreamReset | events.ConnectionTerminated) and not answer.done:
        raise Failed("the server cancels the request")


def _judged(answer: _Answer) -> Passed:
    if answer.headers.get(":status") != "200":
        raise Failed(f"HTTP status {answer.headers.get(':status')}")
    code = answer.headers.get("grpc-status", "")
    if code != "0":
        raise Failed(f"gRPC status {_NAMES.get(code, 'is missing')}")
    status = _status(answer.body)
    if status != _SERVING:
        raise Failed(_STATUSES[status])
    return Passed()


def _message(service: str) -> bytes:
    """A HealthCheckRequest behind gRPC's prefix; its only field has number 1, and a length below 128."""
    request = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    return b"\0" + len(request).to_bytes(4, "big") + request


def _status(body: bytes) -> int:
    """The number in a HealthCheckResponse; a 0 is left out on the wire."""
    length = int.from_bytes(body[1:5], "big")
    if len(body) != 5 + length or body[0] != 0:
        raise Failed("the answer is no message of gRPC")
    if not length:
        return 0
    if length != 2 or body[5] != 0x08 or body[6] >= len(_STATUSES):
        raise Failed("the answer is no health status")
    return body[6]
