"""Who may import whom: every import statement of the project, wherever in a file it stands, against the rules."""

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("actors", "loader", "plugins")

CONTRACTS = ("actors.planes.__init__", "actors.planes.network")
CORE = ("actors.core.*",)
RUNTIME = ("actors.runtime.*",)
VALUES = ("actors.messages", *CORE)
EVERYTHING = ("*",)

WIRING = ("main", "daemon", "configuration", "tree", "picture", "snapshot", "probing", "routers", "addressing")
WIRING += ("census", "doors", "fleet", "process", "ports", "inside", "substitute", "catalogue")
WIRING += ("ipvs_tree", "ipvs_view", "checks_tree", "presence_tree")
ASSEMBLY = tuple(f"actors.{name}" for name in WIRING)
"""See everything, and are seen by each other alone."""

PURE = {"abc", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib", "heapq", "hmac"}
PURE |= {"ipaddress", "itertools", "math", "operator", "re", "string", "struct", "typing", "types", "zlib", "msgspec"}
LOADING = PURE | {"contextlib", "difflib", "errno", "gc", "inspect", "keyword", "warnings", "pyparsing"}

# The first line that fits a module is its rule: the project's modules that it may import, and what else (None: any).
RULES: list[tuple[str, tuple[str, ...], set[str] | None]] = [
    ("actors.core.packet", CORE, PURE | {"dpkt"}),
    ("actors.core.*", CORE, PURE),
    ("actors.messages", VALUES, PURE),
    ("actors.runtime.*", (*RUNTIME, *VALUES, "plugins.api.*"), None),
    ("actors.planes.*", ("actors.planes.*", *CORE), None),
    (
        "actors.*_actor",
        (*VALUES, *RUNTIME, *CONTRACTS, "actors.station", "actors.children", "loader.model", "plugins.api.*"),
        PURE | {"random"},
    ),
    ("actors.station", (*VALUES, *RUNTIME, *CONTRACTS), PURE),
    ("actors.children", VALUES, PURE),
    ("actors.scripts", (), set(sys.stdlib_module_names)),
    ("actors.spawner", VALUES, None),
    ("actors.programs", ("actors.spawner", "plugins.api.*"), None),
    ("actors.describer", ("plugins.*",), {*sys.stdlib_module_names, "msgspec"}),
    ("actors.reference", ("loader.*", "plugins.*"), None),
    ("actors.control_client", (), set(sys.stdlib_module_names)),
    ("actors.control", ("actors.control_client",), None),
    ("actors.console", ("actors.control",), None),
    ("actors.ctl", ("actors.control_client", "actors.ctl_*"), {*sys.stdlib_module_names, "click"}),
    ("actors.ctl_genhash", ("actors.ctl_view", "plugins.*"), {*sys.stdlib_module_names, "click", "rich"}),
    ("actors.ctl_checker", ("actors.ctl_*", "loader.*", "plugins.*"), {*sys.stdlib_module_names, "click", "rich"}),
    ("actors.ctl_trial", ("actors.ctl_view", "loader.*", "plugins.*"), {*sys.stdlib_module_names, "rich", "msgspec"}),
    ("actors.ctl_draft", (), set(sys.stdlib_module_names)),
    ("actors.ctl_top", ("actors.control_client", "actors.ctl_view"), {*sys.stdlib_module_names, "rich"}),
    ("actors.ctl_ipvs", ("actors.ctl_view",), set(sys.stdlib_module_names)),
    ("actors.ctl_view", (), {*sys.stdlib_module_names, "rich"}),
    ("actors.dump", ("actors.ctl_view",), None),
    ("actors.logs", ("actors.reports",), None),
    ("actors.reports", (), PURE),
    ("actors.nursery", ("actors.scheduling",), None),
    ("actors.scheduling", (), None),
    ("actors.systemd", (*VALUES, *RUNTIME), None),
    ("actors.verdicts", VALUES, None),
    ("actors.__init__", (), set()),
    *((module, EVERYTHING, None) for module in ASSEMBLY),
    ("loader.__init__", ("loader.*",), LOADING | {"glob", "pathlib", "os"}),
    ("loader.*", ("loader.*",), LOADING | {"pathlib"}),
    ("plugins.*", ("plugins.*",), None),
]

EVENT_LOOP_FREE = ("plugins.*", "loader.*", "actors.core.*", "actors.*_actor", "actors.scripts")

Imports = dict[str, list[tuple[int, str]]]


def name_of(file: Path) -> str:
    """``loader/__init__.py`` is ``loader.__init__``, so that a package and what is in it are told apart."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def found_imports() -> Imports:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    modules = {name_of(file) for file in files}
    return {name_of(file): list(imports_of(ast.parse(file.read_text()), modules)) for file in files}


def imports_of(tree: ast.Module, modules: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, resolved(alias.name, modules)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if whole in modules else resolved(str(node.module), modules)


def resolved(name: str, modules: set[str]) -> str:
    return f"{name}.__init__" if f"{name}.__init__" in modules else name


def rule_of(module: str) -> tuple[tuple[str, ...], set[str] | None]:
    for pattern, own, foreign in RULES:
        if fnmatchcase(module, pattern):
            return own, foreign
    raise AssertionError(f"{module} belongs to no layer: give it a rule")


def is_allowed(module: str, imported: str) -> bool:
    own, foreign = rule_of(module)
    package = imported.partition(".")[0]
    if package not in PACKAGES:
        return foreign is None or package in foreign
    return any(fnmatchcase(imported, pattern) for pattern in own)


def breaches(imports: Imports) -> list[str]:
    return [
        f"{module.replace('.', '/')}.py:{line} imports {imported}"
        for module, found in imports.items()
        for line, imported in found
        if not is_allowed(module, imported) or (imported in ASSEMBLY and module not in ASSEMBLY)
        or (imported.startswith("gevent") and any(fnmatchcase(module, pattern) for pattern in EVENT_LOOP_FREE))
    ]  # fmt: skip


def test_every_import_keeps_to_the_layers() -> None:
    assert breaches(found_imports()) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("actors.core.vrrp", "gevent"),
        ("actors.core.vrrp", "time"),
        ("actors.core.vrrp", "actors.messages"),
        ("actors.core.vrrp", "dpkt"),
        ("loader.decode", "actors.core.table"),
        ("loader.decode", "plugins.api.__init__"),
        ("loader.decode", "glob"),
        ("plugins.http", "loader.model"),
        ("plugins.http", "gevent"),
        ("actors.runtime.system", "actors.checker_actor"),
        ("actors.planes.ipvs", "actors.runtime.clock"),
        ("actors.checker_actor", "actors.ipvs_actor"),
        ("actors.ipvs_actor", "actors.planes.ipvs"),
        ("actors.ipvs_actor", "socket"),
        ("actors.ctl", "actors.control"),
        ("actors.supervisor_actor", "actors.tree"),
        ("actors.scripts", "msgspec"),
    ],
)
def test_what_must_not_be_is_noticed(module: str, imported: str) -> None:
    assert breaches({module: [(7, imported)]}) == [f"{module.replace('.', '/')}.py:7 imports {imported}"]
