"""What the loader's tests share: files in memory, two checker plugins as builtins, short ways to load."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec

from loader import Cache, Loaded, load_from
from loader.fields import Block
from loader.includes import Secret
from loader.model import Config, VirtualServer

HTTP = {
    "keyword": "HTTP_GET",
    "help": "Healthy when every url answers as asked.",
    "options": [
        {"name": "virtualhost"},
        {"name": "password", "secret": True, "pattern": "[a-z]+"},
        {
            "name": "url",
            "kind": "block",
            "repeated": True,
            "required": True,
            "options": [
                {"name": "path", "default": "/", "pattern": "/.*"},
                {"name": "status_code", "kind": "ranges", "default": "200-299", "min": 100, "max": 599},
                {"name": "regex", "kind": "pattern"},
            ],
        },
    ],
}
TCP = {"keyword": "TCP_CHECK"}
PING = {"keyword": "PING_CHECK", "aims": "host"}
MISC = {
    "keyword": "MISC_CHECK",
    "aims": "maybe",
    "options": [
        {"name": "misc_path", "kind": "script", "required": True},
        {"name": "misc_timeout", "kind": "seconds", "default": 0.0},
        {"name": "misc_dynamic", "kind": "bool", "default": False},
        {"name": "user", "kind": "words", "default": []},
    ],
}
PROCESS = {
    "keyword": "PROCESS_CHECK",
    "aims": "never",
    "options": [
        {"name": "process", "kind": "words", "required": True},
        {"name": "param_match", "default": ""},
        {"name": "full_command", "kind": "bool", "default": False},
        {"name": "quorum", "kind": "int", "default": 1},
        {"name": "quorum_max", "kind": "int", "default": 0},
    ],
}
FILE = {
    "keyword": "FILE_CHECK",
    "aims": "never",
    "options": [
        {"name": "file", "required": True},
        {"name": "counts", "kind": "bool", "default": False},
        {"name": "create", "default": ""},
    ],
}
RAW = (HTTP, TCP, PING, MISC, PROCESS, FILE)
BLOCKS = {block.keyword: block for block in (msgspec.convert(raw, Block) for raw in RAW)}


class Memory:
    """Files by path. A path that is not there cannot be read."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.reads: list[str] = []

    def read(self, path: str) -> str:
        """The text of a file."""
        self.reads.append(path)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[path]

    def secret(self, path: str) -> Secret:
        """The text of a file as bytes; those that are called ``loose`` are exposed."""
        return Secret(self.read(path).encode("latin-1"), "loose" in path)

    def find(self, pattern: str) -> list[str]:
        """Paths that match, in order of name."""
        return sorted(path for path in self.files if fnmatchcase(path, pattern))


def schemas(location: str) -> dict[str, Block]:
    """The two plugins, wherever others may lie."""
    return BLOCKS


def read(
    text: str,
    users: frozenset[str] = frozenset(),
    cache: Cache | None = None,
    others: Mapping[str, str] | None = None,
) -> Loaded:
    """Load a text as ``lb.conf``; ``others`` are further files by path."""
    return load_from(Memory({"lb.conf": text, **(others or {})}), "lb.conf", schemas, users, cache)


def good(text: str, users: frozenset[str] = frozenset()) -> Config:
    """The configuration of a text without any error or warning."""
    loaded = read(text, users)
    assert loaded.render() == ""
    assert loaded.config is not None
    return loaded.config


def messages(loaded: Loaded) -> list[str]:
    """Each diagnostic in one line: ``12:5 error: text``."""
    return [f"{d.span.line}:{d.span.column} {d.severity.value}: {d.message}" for d in loaded.diagnostics]


def complaints(text: str) -> list[str]:
    """`messages` of a text."""
    return messages(read(text))


def service(inside: str = "", head: str = "10.0.0.1 80", servers: str = "real_server 10.0.1.1 80 { }") -> VirtualServer:
    """A virtual server with these statements, one real server and nothing wrong."""
    return good(f"virtual_server {head} {{\nprotocol TCP\n{inside}\n{servers}\n}}\n").virtual_servers[0]
