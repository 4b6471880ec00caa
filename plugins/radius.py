"""RADIUS_CHECK: does the server answer Status-Server, or let a user in?"""

from typing import Any

from plugins.api import Failed, Passed, Target, checker, library, option

USER_NAME, USER_PASSWORD, NAS_IDENTIFIER = 1, 2, 32
LONGEST_PACKET = 4096
RESEND = 1.0
"""Seconds after which a request is sent again: datagrams may be lost."""

MOST_FORGED = 100
"""Answers to look at, of those that do not know the secret: a flood of them would let nothing else run."""


@checker("RADIUS_CHECK")
class RadiusCheck:
    """Healthy when a RADIUS server answers: Status-Server (RFC 5997), or for a user as expected."""

    secret: str = option(help="shared secret of this client", secret=True)
    user: str = option("", help="user to ask for; when empty the server's status is")
    password: str = option("", help="password of that user", secret=True)
    nas_identifier: str = option("understudy", help="how to name this machine to the server")
    expect: str = option("accept", help="the answer for the user", choices=("accept", "reject", "challenge", "any"))

    def probe(self, target: Target) -> Passed:
        """Ask, again now and then, until an answer comes that knows the secret."""
        radius = library("pyrad.packet", "radius")
        reply = _exchange(target, radius, self._request(radius))
        answers = {radius.AccessAccept: "accept", radius.AccessReject: "reject", radius.AccessChallenge: "challenge"}
        answer = answers.get(reply.code, "")
        if not answer or (not self.user and answer != "accept"):
            raise Failed("the answer is none to this question")
        if self.user and self.expect not in (answer, "any"):
            raise Failed(f"the answer for the user is {answer}")
        return Passed()

    def _request(self, radius: Any) -> Any:
        code = radius.AccessRequest if self.user else radius.StatusServer
        request = radius.AuthPacket(code, secret=self.secret.encode(), message_authenticator=True)
        request.authenticator = request.CreateAuthenticator()
        request[NAS_IDENTIFIER] = [self.nas_identifier.encode()]
        if self.user:
            request[USER_NAME] = [self.user.encode()]
            request[USER_PASSWORD] = [request.PwCrypt(self.password)]
        return request


def _exchange(target: Target, radius: Any, request: Any) -> Any:
    packet = request.RequestPacket()
    forged = 0
    with target.connect(udp=True) as sock:
        while True:
            try:
                sock.sendall(packet)
                while (reply := _proven(radius, request, _received(sock, target))) is None:
                    forged += 1
                    if forged == MOST_FORGED:
                        raise Failed("only answers that do not know the secret")
                return reply
            except TimeoutError:
                if target.late:
                    raise Failed(_silence(forged)) from None


def _received(sock: Any, target: Target) -> bytes:
    sock.settimeout(min(RESEND, target.remaining()))
    data: bytes = sock.recv(LONGEST_PACKET)
    return data


def _proven(radius: Any, request: Any, data: bytes) -> Any:
    """The reply that ``data`` is, or None: what does not know the secret may come from anybody."""
    try:
        reply = request.CreateReply(packet=data)
        return reply if request.VerifyReply(reply, data) else None
    except (radius.PacketError, ValueError, IndexError, KeyError):
        return None


def _silence(forged: int) -> str:
    return "only answers that do not know the secret" if forged else "no answer; a wrong secret gets none either"
