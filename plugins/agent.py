"""AGENT_CHECK: the server's own word, by HAProxy's agent protocol."""

import re

from plugins.api import Degraded, Encryption, Failed, Passed, Result, Target, checker, option

LONGEST = 1024
"""Bytes of an answer; HAProxy's words need fewer."""

DOWN = ("down", "failed", "fail", "stopped", "maint")
UP = ("up", "ready")
DRAIN = "drain"
WEIGHT = re.compile(r"([0-9]{1,9})%")
CONNECTIONS = re.compile(r"maxconn:([0-9]{1,9})")


@checker("AGENT_CHECK")
class AgentCheck(Encryption):
    """Healthy unless the agent says down, fail, stopped or maint; its percentage is the share of the weight.

    One line of words between blanks, tabs and commas, as HAProxy's ``agent-check`` has it; each answer says everything,
    so what it leaves out is up and at 100 percent. ``drain`` is 0 percent, and what follows ``#`` is the reason.
    ``maxconn:N`` is shown as a figure.
    """

    send: str = option("", name="agent_send", help=r"what to send first; \n stands for a line's end")

    def probe(self, target: Target) -> Result:
        """Ask once."""
        with target.connect(self.encryption()) as sock:
            if self.send:
                sock.sendall(self.send.replace("\\n", "\n").replace("\\r", "\r").encode())
            answer = b""
            while (
                b"\n" not in answer and b"\r" not in answer and len(answer) < LONGEST and (more := sock.recv(LONGEST))
            ):
                answer += more
        return understood(answer[:LONGEST].decode("utf-8", "replace"))


def understood(answer: str) -> Result:
    """What the first line of an answer means. Raises `Failed` for what is none."""
    line = next(iter(answer.splitlines()), "")
    words, _, reason = line.partition("#")
    share, metrics, said = 100, {}, ""
    for word in filter(None, re.split(r"[ \t,]+", words.strip().lower())):
        if found := WEIGHT.fullmatch(word):
            share = int(found[1])
        elif found := CONNECTIONS.fullmatch(word):
            metrics["maxconn"] = float(found[1])
        elif word in DOWN or word == DRAIN:
            said = said if said in DOWN else word
        elif word not in UP:
            raise Failed(f"the agent's answer is not understood: {line[:80]!r}")
    if not words.strip():
        raise Failed("the agent said nothing")
    detail = f"{said}: {reason.strip()}" if said and reason.strip() else said or reason.strip()
    if said in DOWN:
        raise Failed(f"the agent says {detail}", metrics)
    if said == DRAIN or share < 100:
        return Degraded(0 if said == DRAIN else share, detail, metrics)
    return Passed(detail, metrics)
