"""How soon every checker has run: the real daemon with thousands of different checkers, from its start.

python -m bench.start [--checkers 5000] [--keyword RT_TCP_CHECK]
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from actors.control_client import Unreachable, ask
from bench.bare import HOST, serving

SERVICES = 50
AIM = 1.5


def configuration(checkers: int, keyword: str, port: int) -> str:
    """Checkers that differ in their source address, each followed by one real server."""
    blocks = ["global_defs {\n    dataplane userspace\n}\n"]
    for n in range(checkers):
        source = f"127.1.{n // 250}.{n % 250 + 1}"
        target = f"    connect_ip {HOST}\n    connect_port {port}\n    bindto {source}\n    delay_loop 1\n"
        url = "    url {\n        path /\n    }\n" if "GET" in keyword else ""
        blocks.append(f"{keyword} c{n} {{\n{target}{url}}}\n")
    for service in range(SERVICES):
        servers = "\n".join(
            f"    real_server 127.2.{n // 250}.{n % 250 + 1} 80 {{\n        checkers c{n}\n    }}"
            for n in range(service, checkers, SERVICES)
        )
        blocks.append(f"virtual_server {HOST} {20000 + service} {{\n    protocol TCP\n{servers}\n}}\n")
    return "".join(blocks)


@contextmanager
def daemon(folder: Path, conf: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The daemon on ``conf``, with its control socket."""
    path, socket, log = folder / "bench.conf", folder / "control.sock", folder / "log"
    path.write_text(conf)
    command = [sys.executable, "-m", "actors.main", str(path), "--socket", str(socket), "--log-level", "warning"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process, socket
        finally:
            process.terminate()


def answer(process: subprocess.Popen[bytes], socket: Path, request: str) -> Any:
    """What the control socket says, as soon as it is there."""
    while process.poll() is None:
        try:
            return ask(socket, {"ask": request}, limit=30)
        except Unreachable:
            time.sleep(0.01)
    raise SystemExit("the daemon has ended; see its log")


def main() -> None:
    """Print how many have run after the time aimed at, and how long the last took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkers", type=int, default=5000)
    parser.add_argument("--keyword", default="RT_TCP_CHECK")
    given = parser.parse_args()
    kind = "http" if "GET" in given.keyword else "tcp"
    with TemporaryDirectory() as folder, serving(kind) as port:
        began = time.monotonic()
        with daemon(Path(folder), configuration(given.checkers, given.keyword, port)) as (process, socket):
            answer(process, socket, "internals")
            up = time.monotonic()
            print(f"{given.checkers} {given.keyword}: {up - began:.2f} s from the command to the control socket")
            time.sleep(max(0.0, up + AIM - time.monotonic()))
            state = answer(process, socket, "status")
            rows = state["checkers"]
            ran = sum(row["runs"] > 0 for row in rows)
            good = sum(row["verdict"] == "OK" for row in rows)
            size = len(json.dumps(state)) >> 10
            print(f"{AIM} s later {ran} of {len(rows)} have run, {good} are OK ({size} KiB of status)")


if __name__ == "__main__":
    main()
