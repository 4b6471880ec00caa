"""SMTP_CHECK: does the mail server greet, and accept a HELO? Keywords are keepalived's; banners of several lines are
understood, and STARTTLS."""

import re
from typing import Any

from plugins.api import Encryption, Failed, Passed, Target, Tls, checker, conversation, option

LINE, LINES = 1024, 100
"""Bytes of a line and lines of an answer at most; RFC 5321 4.5.3.1.5 has 512."""


@checker("SMTP_CHECK")
class SmtpCheck(Encryption):
    """Healthy when the server greets with 220 and answers HELO with 250."""

    helo_name: str = option("smtpchecker.keepalived.org", help="what to say HELO with", pattern=r"[!-~]{1,255}")
    starttls: bool = option(False, help="say EHLO, and go on through TLS")

    def probe(self, target: Target) -> Passed:
        """Greet and take leave."""
        tls = self.encryption()
        with conversation(target.connect(None if self.starttls else tls), "SMTP") as sock:
            _expect(_answer(sock), "220", "the greeting")
            if self.starttls:
                self._secure(sock, target)
            _say(sock, f"HELO {self.helo_name}", "250")
            sock.sendall(b"QUIT\r\n")
            _answer(sock)  # any
        return Passed()

    def _secure(self, sock: Any, target: Target) -> None:
        _say(sock, f"EHLO {self.helo_name}", "250")
        _say(sock, "STARTTLS", "220")
        sock.encrypt(self.encryption() or Tls(), target.address)


def _say(sock: Any, command: str, code: str) -> None:
    sock.sendall(f"{command}\r\n".encode())
    _expect(_answer(sock), code, command.partition(" ")[0])


def _expect(found: str, code: str, what: str) -> None:
    if found != code:
        raise Failed(f"{what} is answered by {found}" if what != "the greeting" else f"the greeting is {found}")


def _answer(sock: Any) -> str:
    """The code of an answer of one line or several. Raises `Failed` for what is none."""
    data = b""
    while True:
        data += sock.recv(LINE)
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        if len(lines) > LINES or max(map(len, lines)) > LINE:
            raise Failed("the answer is too long")
        if code := _code(lines[:-1]):
            return code


def _code(lines: list[bytes]) -> str:
    """The code of an answer whose last line has come, empty before."""
    for line in lines:
        found = re.match(rb"([2-5][0-9][0-9])([ -]|$)", line)
        if not found:
            raise Failed("not an SMTP answer")
        if found[2] != b"-":
            return found[1].decode()
    return ""
