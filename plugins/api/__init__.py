"""What a checker plugin sees, all of it: `checker`, `option`, `block`, `Passed`, `Failed`, `Target`, `Tls`.

Nothing of the daemon's insides is here. A plugin imports this, the standard library, and its protocol's client library.
"""

from plugins.api.declare import block, checker
from plugins.api.describe import build, describe
from plugins.api.options import REQUIRED, RESERVED, BadPlugin, option
from plugins.api.outcome import Failed, Passed, explain, outcome
from plugins.api.target import Target
from plugins.api.tls import Tls

__all__ = [
    "REQUIRED",
    "RESERVED",
    "BadPlugin",
    "Failed",
    "Passed",
    "Target",
    "Tls",
    "block",
    "build",
    "checker",
    "describe",
    "explain",
    "option",
    "outcome",
]
