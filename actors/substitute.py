"""``python -m actors.substitute``: a nursery in a fresh interpreter, in place of one that was lost.

Its standard input is the socket of what asks it for processes.
"""

# ruff: noqa: E402, I001
from gevent import monkey

monkey.patch_all()

import gc
import os
from typing import NoReturn

from actors.nursery import NativeSocket, tend
from actors.process import preload, serve


def main() -> NoReturn:
    """Be the nursery, until the program is gone."""
    port = NativeSocket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    preload()
    gc.collect()
    gc.freeze()
    tend(port, serve)


if __name__ == "__main__":
    main()
