"""What a checker plugin sees, all of it: how it is declared, what it is given, what it answers.

Nothing of the daemon's insides is here. A plugin imports this, the standard library, and its protocol's client library.
"""

from plugins.api.client import Lent, Upgrade, conversation, library
from plugins.api.declare import block, checker
from plugins.api.describe import build, describe
from plugins.api.encryption import Encryption
from plugins.api.options import REQUIRED, RESERVED, BadPlugin, option
from plugins.api.outcome import Counted, Degraded, Failed, Passed, Result, Session, Weighed, explain, outcome
from plugins.api.program import Command, Exit
from plugins.api.source import Source
from plugins.api.target import Target
from plugins.api.tls import Tls
from plugins.api.trace import Trace

__all__ = [
    "REQUIRED",
    "RESERVED",
    "BadPlugin",
    "Command",
    "Counted",
    "Degraded",
    "Encryption",
    "Exit",
    "Failed",
    "Lent",
    "Passed",
    "Result",
    "Session",
    "Source",
    "Target",
    "Tls",
    "Trace",
    "Upgrade",
    "Weighed",
    "block",
    "build",
    "checker",
    "conversation",
    "describe",
    "explain",
    "library",
    "option",
    "outcome",
]
