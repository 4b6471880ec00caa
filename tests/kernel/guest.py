"""The guest as the host sees it: one qemu at a time, its console in a file, its reports line by line."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kernel import image

LIMIT = 900.0 if "UNDERSTUDY_SLOW" not in os.environ else 3600.0
"""Seconds from its start within which all must have been reported."""
PASSED_ON = ("CI", "UNDERSTUDY_SLOW")
"""Variables of the environment that hold for the tests in the guest as well."""


class Guest:
    """Boots when made, at the lowest priority: the tests that run meanwhile are not to notice. Raises `Missing`."""

    def __init__(self, tests: list[str]) -> None:
        kernel = image.kernel()
        given = {"UNDERSTUDY_GUEST": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        given |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._image = image.whole(kernel, tests, given)
        self._console = image.CACHE / f"console-{os.getpid()}.log"
        self._told = image.CACHE / f"reports-{os.getpid()}.jsonl"
        self._told.touch()
        self._started = time.monotonic()
        self._read = 0
        self._reports: dict[str, list[dict[str, Any]]] = {}
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(self._command(kernel), stdin=subprocess.DEVNULL, stderr=console)

    def _command(self, kernel: Path) -> list[str]:
        """Emulated also where there is a /dev/kvm: on a machine that is itself virtual that one is often broken."""
        return [
            *("flock", str(image.CACHE / "lock"), "nice", "-n", "19", "qemu-system-x86_64"),
            *("-accel", "tcg,thread=multi", "-cpu", "max", "-machine", "q35", "-smp", "2", "-m", "3G"),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-chardev", f"file,id=console,path={self._console},append=on", "-serial", "chardev:console"),
            *("-serial", f"file:{self._told}"),
            *("-kernel", str(kernel), "-initrd", str(self._image)),
            *("-append", "console=ttyS0 quiet panic=-1 mitigations=off tsc=unstable rdinit=/init"),
        ]

    def reports(self, test: str, waiting: Callable[[str], None]) -> list[dict[str, Any]]:
        """The reports of a test, once its last one is there; empty when it will never be. Tells what it waits for."""
        said = time.monotonic()
        while not self._is_told(test):
            if self._process.poll() is not None or time.monotonic() - self._started > LIMIT:
                self._take()
                return self._reports.get(test, [])
            if time.monotonic() - said > 10.0:
                said = time.monotonic()
                waiting(self._stage())
            time.sleep(0.1)
        return self._reports[test]

    def log(self, lines: int = 60) -> str:
        """The end of its console."""
        with contextlib.suppress(OSError):
            return "\n".join(self._console.read_text(errors="replace").splitlines()[-lines:])
        return "the guest has said nothing"

    def close(self) -> None:
        """End it, if it has not ended by itself, and remove what was made for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.terminate()
        self._process.wait()
        for file in (self._image, self._console, self._told):
            file.unlink(missing_ok=True)

    def _stage(self) -> str:
        passed = f"{time.monotonic() - self._started:.0f} s"
        last = self.log(1)
        return f"kernel tests: {passed}, {len(self._reports)} reported; the guest says: {last[-100:]}"

    def _is_told(self, test: str) -> bool:
        if self._reports.get(test, [{}])[-1].get("when") != "teardown":
            self._take()
        return bool(self._reports.get(test, [{}])[-1].get("when") == "teardown")

    def _take(self) -> None:
        with self._told.open("rb") as told:
            told.seek(self._read)
            for line in told:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                report = json.loads(line)
                self._reports.setdefault(report["nodeid"], []).append(report)
