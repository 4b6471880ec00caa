"""What the guest boots: Debian's kernel, unpacked and not installed, and this machine's programs in a RAM image.

Both are kept in ``.cache/kernel`` (or ``$UNDERSTUDY_KERNEL_CACHE``): the download is made once, the image anew when a
program in it has changed. The project itself is packed for each boot.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tests.kernel.archive import Archive

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("UNDERSTUDY_KERNEL_CACHE", ROOT / ".cache" / "kernel"))
PACKAGE = "linux-image-amd64"
PROGRAMS = ("busybox", "kmod", "modprobe", "ip", "ipvsadm", "keepalived", "nft")
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox", "depmod": "kmod", "flock": "util-linux"}
"""What the host needs besides the guest's programs, and the Debian packages that have it."""
PYTHON = ("pytest", "pytest-timeout", "psutil")
"""Distributions that the tests need beyond those of requirements.txt."""
MODULES = r"net/netfilter/|net/ipv[46]/|net/bridge/|drivers/net/(veth|dummy)\.ko"
BALLAST = re.compile(r"/(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|site-packages|dist-packages)$")
PROJECT = ("actors", "loader", "plugins", "tests", "bench", "examples", "pyproject.toml")


class Missing(Exception):
    """The guest cannot be booted here; the message says what to do about it."""


class Impossible(Missing):
    """This machine cannot have what the guest needs."""


def kernel() -> Path:
    """The kernel to boot, downloaded if it is not there yet. Raises `Missing`."""
    if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
        raise Impossible("the kernel lab is made of Debian's packages for amd64")
    absent = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    absent |= {name for name in PROGRAMS if shutil.which(name) is None}
    if absent:
        raise Missing(f"the kernel lab lacks {', '.join(sorted(absent))}: .ci/system-packages tests")
    found = sorted(CACHE.glob("root/boot/vmlinuz-*"))
    return found[-1] if found else _fetched()


def _fetched() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    depends = _run("apt-cache", "depends", PACKAGE)
    name = re.search(r"Depends: (linux-image-[\d.]+\S*-amd64)", depends)
    if name is None:
        raise Missing(f"apt-cache knows no {PACKAGE}: apt-get update")
    _run("apt-get", "download", name[1])
    (package,) = CACHE.glob(f"{name[1]}_*.deb")
    fresh = CACHE / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    _run("dpkg", "-x", str(package), str(fresh))
    (release,) = (path.name for path in (fresh / "lib/modules").iterdir())
    _keep_modules(fresh / "lib/modules" / release)
    _run("depmod", "-b", str(fresh), release)
    fresh.rename(CACHE / "root")  # only whole ones have the name
    package.unlink()
    return CACHE / "root/boot" / f"vmlinuz-{release}"


def _keep_modules(folder: Path) -> None:
    """Only those that load balancing can want, and what they need themselves: 300 MB become 30."""
    root = str(folder.parents[2])
    _run("depmod", "-b", root, folder.name)
    lines = (folder / "modules.dep").read_text().splitlines()
    needs = {name: needed.split() for name, _, needed in (line.partition(":") for line in lines)}
    kept = {each for name, needed in needs.items() if re.search(MODULES, name) for each in (name, *needed)}
    kept |= {name for name in needs if "crc32c" in name}
    for name in needs.keys() - kept:
        (folder / name).unlink()


def base(kernel: Path) -> Path:
    """The image of all but the project: programs, Python, kernel modules, the guest's first process."""
    release = kernel.name.removeprefix("vmlinuz-")
    programs = [Path(shutil.which(name) or name) for name in PROGRAMS]
    stdlib = Path(sysconfig.get_path("stdlib"))
    wanted = [*programs, Path(sys.executable).resolve(), Path(__file__), Path(__file__).with_name("archive.py")]
    distributions = [*_distributions()]
    signs = [f"{each}:{each.stat().st_mtime_ns}" for each in wanted] + [f"{d.name}={d.version}" for d in distributions]
    image = CACHE / f"base-{hashlib.sha256(' '.join((release, *signs)).encode()).hexdigest()[:16]}.cpio"
    if not image.exists():
        for old in CACHE.glob("base-*.cpio"):
            old.unlink()
        archive = Archive()
        for name in ("proc", "sys", "dev", "tmp", "run", "var/tmp", "var/run", "root", "etc"):
            archive.folder(f"/{name}")
        archive.add_programs(programs)
        _add_python(archive, stdlib, distributions)
        archive.add(Path("/etc/iproute2"))
        archive.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        archive.write("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        archive.write("/etc/hosts", b"127.0.0.1 localhost guest\n")
        modules = Archive()
        half = image.with_suffix(f".{os.getpid()}")
        half.write_bytes(archive.packed() + _modules(modules, kernel.parents[1], release))
        half.rename(image)
    return image


def _modules(archive: Archive, root: Path, release: str) -> bytes:
    folder = root / "lib/modules" / release
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            archive.write(f"/usr/lib/modules/{release}/{file.relative_to(folder)}", file.read_bytes())
    return archive.packed()


def _add_python(archive: Archive, stdlib: Path, distributions: list[Distribution]) -> None:
    program = Path(sys.executable)
    archive.add(program)
    archive.add_programs([program.resolve(), *stdlib.glob("lib-dynload/*.so")])
    archive.add(stdlib, BALLAST)
    if (settings := Path(sys.prefix) / "pyvenv.cfg").exists():
        archive.add(settings)
    for each in distributions:
        files = [Path(str(each.locate_file(file))).resolve() for file in each.files or ()]
        archive.add_programs([file for file in files if ".so" in file.suffixes and file.exists()])
        for file in files:
            if file.exists() and file.suffix != ".exe":
                archive.add(file)


def _distributions() -> list[Distribution]:
    """What the project and its tests need of Python, and what that needs."""
    pending = [*(ROOT / "requirements.txt").read_text().split(), *PYTHON]
    found: dict[str, Distribution] = {}
    for requirement in pending:
        name = re.split(r"[^\w.-]", requirement)[0].lower()
        if name in found or "extra ==" in requirement:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # meant for another system or version of Python
            continue
        pending += found[name].requires or ()
    return list(found.values())


def whole(kernel: Path, tests: list[str], environment: dict[str, str]) -> Path:
    """The image to boot: the base, the project as it is now, and the tests to run in it."""
    archive = Archive()
    for name in PROJECT:
        archive.add(ROOT / name)
    exports = "".join(f"export {name}='{value}'\n" for name, value in environment.items())
    archive.write("/guest/environment", exports.encode())
    archive.write("/guest/tests", "\n".join(tests).encode())
    archive.write("/guest/python", f"{sys.executable}\n".encode())
    archive.link("/guest/project", str(ROOT))
    archive.write("/init", Path(__file__).with_name("init.sh").read_bytes(), 0o755)
    for left in CACHE.glob("*-[0-9]*.*"):  # by a session that was killed
        if left.stat().st_mtime < time.time() - 3600 and not left.name.startswith("base-"):
            left.unlink()
    image = CACHE / f"whole-{os.getpid()}.cpio"
    image.write_bytes(base(kernel).read_bytes() + archive.packed())
    return image


def _run(*words: str) -> str:
    done = subprocess.run(words, cwd=CACHE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
