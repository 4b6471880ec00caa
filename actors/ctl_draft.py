"""A new checker: a file that works as it is, and a test of it."""

import re
from pathlib import Path

PLUGIN = '''"""{keyword}: does the server greet?"""

from plugins.api import Failed, Passed, Target, checker, option


@checker("{keyword}")
class {kind}:
    """Healthy when the server says the expected word first."""

    expect: str = option("220", help="what the greeting must begin with")
    longest: int = option(512, help="bytes of a greeting", unit="bytes", min=1, max=65536)

    def probe(self, target: Target) -> Passed:
        """Connect, and read one line."""
        with target.connect() as sock, sock.makefile("rb") as lines:
            greeting = lines.readline(self.longest).decode(errors="replace")
        if not greeting.startswith(self.expect):
            raise Failed(f"the greeting does not begin with {{self.expect!r}}")
        return Passed()
'''

TEST = '''"""What {keyword} makes of a server's answers. Run: python -m pytest {test}"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from {name} import {kind}

from plugins.api import Failed, Passed, Result, Target, outcome


@contextmanager
def server(says: bytes) -> Iterator[int]:
    """A server that says so to the first who connects, and hangs up; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (b"220 welcome\\r\\n", Passed()),
        (b"554 not today\\r\\n", Failed("the greeting does not begin with '220'")),
        (b"", Failed("the greeting does not begin with '220'")),
    ],
)
def test_the_greeting_decides(says: bytes, expected: Result) -> None:
    with server(says) as port:
        assert outcome({kind}(), Target("127.0.0.1", port, timeout=2)) == expected


def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert outcome({kind}(), Target("127.0.0.1", port, timeout=2)) == Failed("Connection refused")
'''


class Draft:
    """A checker to begin with: ``greeting`` is ``GREETING_CHECK``. Raises ValueError for what is no name."""

    def __init__(self, name: str) -> None:
        self.name = name.lower().removesuffix(".py").replace("-", "_").removesuffix("_check")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name) or self.name.startswith(("rt_", "th_")):
            raise ValueError(f"{name!r} is no name for a checker: a letter, then letters, digits and _; no RT_ or TH_")
        self.keyword = f"{self.name.upper()}_CHECK"
        self.kind = "".join(part.capitalize() for part in self.keyword.lower().split("_"))

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files, neither if one of them is there; their paths. Raises OSError."""
        paths = folder / f"{self.name}.py", folder / f"test_{self.name}.py"
        for path in paths:
            if path.exists():
                raise FileExistsError(17, "is there already", str(path))
        folder.mkdir(parents=True, exist_ok=True)
        names = {"keyword": self.keyword, "kind": self.kind, "name": self.name, "test": paths[1].name}
        for path, text in zip(paths, (PLUGIN, TEST), strict=True):
            path.write_text(text.format(**names))
        return paths
