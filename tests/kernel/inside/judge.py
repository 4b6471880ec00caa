"""The independent judges: what ipvsadm and the kernel's own files say of the table."""

import re
import subprocess
from pathlib import Path


def ipvsadm(*words: str) -> str:
    """``ipvsadm WORDS``; raises when it fails."""
    done = subprocess.run(["ipvsadm", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ipvsadm {' '.join(words)}: {done.stderr}"
    return done.stdout


def saved() -> list[str]:
    """The table as commands that would make it, in their own order."""
    return sorted(line.strip() for line in ipvsadm("-Sn").splitlines())


def thresholds(service: str) -> dict[str, tuple[int, int]]:
    """Upper and lower connection threshold of each server of a TCP service; ``-Sn`` has no word for them."""
    rows = re.findall(r"-> (\S+) +(\d+) +(\d+)", ipvsadm("-Ln", "-t", service, "--thresholds"))
    return {server: (int(upper), int(lower)) for server, upper, lower in rows}


def counted(service: str) -> dict[str, tuple[int, ...]]:
    """Connections, packets in and out, bytes in and out of each server of a TCP service, since it was added."""
    rows = re.findall(r"-> (\S+)" + r" +(\d+)" * 5, ipvsadm("-Ln", "-t", service, "--stats", "--exact"))
    return {server: tuple(map(int, numbers)) for server, *numbers in rows}


def listed() -> str:
    """The kernel's own list, addresses in hexadecimal."""
    return Path("/proc/net/ip_vs").read_text()
