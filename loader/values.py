"""One value at a time: words to a typed value, or a `Fault` that says what is wrong with which word. Pure."""

import ipaddress
import re
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import pyparsing as pp

from loader.diagnostics import did_you_mean, shown
from loader.fields import Keyword
from loader.grammar import RANGES

TRUTH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})")
OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
DOTTED = re.compile(rf"{OCTET}(?:\.{OCTET}){{3}}")
"""An IPv4 address, which in this form is canonical; parsing it with ipaddress takes ten times as long."""


class Fault(NamedTuple):
    """Why a value is refused. ``word`` counts the words of the statement, the keyword being 0."""

    message: str
    word: int
    hint: str = ""


def scalar(keyword: Keyword, word: str, index: int) -> object:
    """The value of a keyword that takes one word, or a `Fault`."""
    value = SCALARS[keyword.kind](word)
    if value is None:
        message = f"{shown(word)} is not {NAMES[keyword.kind]}"
        return Fault(message, index, _expected(keyword, word))
    return _refusal(keyword, value, index) or _canonical(keyword, value)


def _canonical(keyword: Keyword, value: object) -> object:
    """A choice as it is declared, however its letters were written: ``tcp`` is TCP, ``RR`` is rr."""
    if not isinstance(value, str) or not keyword.choices or value in keyword.choices:
        return value
    return next(choice for choice in keyword.choices if choice.lower() == value.lower())


def _expected(keyword: Keyword, word: str) -> str:
    if keyword.kind == "bool":
        return did_you_mean(word, TRUTH)
    return complaint(word) if keyword.kind == "pattern" else f"expected {keyword.usage}"


def _refusal(keyword: Keyword, value: object, index: int) -> Fault | None:
    """What the keyword's own restrictions have against a value of the right kind."""
    if isinstance(value, str):
        return _wording(keyword, value, index) if keyword.choices or keyword.pattern else None
    if isinstance(value, (int, float)) and not _in_range(keyword, value):
        message = f"{value:.12g} is out of range for {shown(keyword.name)}"
        return Fault(message, index, f"expected {keyword.usage}")
    return None


def _in_range(keyword: Keyword, value: float) -> bool:
    return (keyword.min is None or value >= keyword.min) and (keyword.max is None or value <= keyword.max)


def _wording(keyword: Keyword, value: str, index: int) -> Fault | None:
    if keyword.choices and value.lower() not in map(str.lower, keyword.choices):
        message = f"{shown(value)} is not a value of {shown(keyword.name)}"
        hint = did_you_mean(value, keyword.choices) or f"expected {' '.join(keyword.choices)}"
        return Fault(message, index, hint)
    if keyword.pattern and not re.fullmatch(keyword.pattern, value):
        message = f"{shown(value)} does not fit {shown(keyword.name)}"
        return Fault(message, index, f"expected {keyword.help or keyword.pattern}")
    return None


def address(word: str) -> str | None:
    """The canonical text of an IPv4 or IPv6 address, as the C library writes it; None when it is none.

    Zones (``%eth0``) are refused: a service, a server and a socket's source have none.
    """
    if DOTTED.fullmatch(word):
        return word
    try:
        parsed = ipaddress.ip_address(word)
    except ValueError:
        return None
    return _text6(parsed) if isinstance(parsed, ipaddress.IPv6Address) and not parsed.scope_id else None


def _text6(parsed: ipaddress.IPv6Address) -> str:
    """inet_ntop writes the last 32 bits with dots when all before them is zero, or zero up to ffff."""
    number = int(parsed)
    head, tail = number >> 32, ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if head == 0xFFFF:
        return f"::ffff:{tail}"
    return f"::{tail}" if head == 0 and int(tail) >> 16 else str(parsed)


def family(canonical: str) -> int:
    """4 or 6."""
    return 6 if ":" in canonical else 4


def is_multicast(canonical: str) -> bool:
    """Whether an address is that of a group."""
    first = canonical.replace(".", ":").partition(":")[0]
    return first[:2] == "ff" and len(first) == 4 if family(canonical) == 6 else 224 <= int(first) <= 239


def whole(word: str) -> int | None:
    """A whole number of at most 40 digits."""
    return int(word) if WHOLE.fullmatch(word) else None


def decimal(word: str) -> float | None:
    """A decimal number, without exponent."""
    return float(word) if DECIMAL.fullmatch(word) else None


def network(word: str) -> tuple[str, int] | None:
    """``10.0.0.1/24`` as ("10.0.0.1", 24); without a length, all of the address: 32 or 128."""
    text, slash, length = word.partition("/")
    canonical = address(text)
    if canonical is None:
        return None
    longest = 32 if family(canonical) == 4 else 128
    bits = whole(length) if slash else longest
    return (canonical, bits) if bits is not None and 0 <= bits <= longest else None


def port(word: str) -> int | None:
    """A port number, 1 to 65535."""
    number = whole(word)
    return number if number is not None and 1 <= number <= 65535 else None


def prefix(word: str) -> int | None:
    """A prefix length 0 to 128, or an IPv4 netmask turned to one."""
    if "." not in word:
        number = whole(word)
        return number if number is not None and 0 <= number <= 128 else None
    mask = address(word)
    bits = f"{int(ipaddress.ip_address(mask)):032b}" if mask and family(mask) == 4 else "01"
    return None if "01" in bits else bits.count("1")


def expression(word: str) -> str | None:
    """A regular expression that compiles, as it was written."""
    return None if complaint(word) else word


def complaint(pattern: str) -> str:
    """What the compiler of regular expressions has against this one; empty when nothing."""
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except re.error as refusal:
        return str(refusal)
    except (RecursionError, OverflowError):
        return "too large"
    return ""


SCALARS: dict[str, Callable[[str], object]] = {
    "str": lambda word: word,
    "int": whole,
    "float": decimal,
    "seconds": decimal,
    "bool": TRUTH.get,
    "address": address,
    "network": network,
    "port": port,
    "prefix": prefix,
    "pattern": expression,
}

NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "seconds": "a number of seconds",
    "bool": "on or off",
    "address": "an IP address",
    "network": "an IP address with a prefix length",
    "port": "a port",
    "prefix": "a prefix length or a netmask",
    "pattern": "a regular expression",
}


def several(keyword: Keyword, words: Sequence[str]) -> object:
    """The tuple of a keyword that takes a list, or a `Fault`."""
    if keyword.kind == "ranges":
        return ranges(keyword, words, 1)
    found = [_refusal(keyword, word, index) for index, word in enumerate(words, 1)]
    return next((fault for fault in found if fault), tuple(_canonical(keyword, word) for word in words))


def ranges(keyword: Keyword, words: Sequence[str], index: int) -> object:
    """``200-299 301`` as ((200, 299), (301, 301)), or a `Fault`. The keyword's limits hold for both ends."""
    found: list[tuple[int, int]] = []
    for place, word in enumerate(words, index):
        spans = _spans(word)
        if spans is None:
            return Fault(f"{shown(word)} is not a number or a range N-M", place)
        for first, last in spans:
            if first > last:
                return Fault(f"the range {first}-{last} ends before it begins", place, f"did you mean {last}-{first}?")
            if not (_in_range(keyword, first) and _in_range(keyword, last)):
                message = f"{shown(word)} is out of range for {shown(keyword.name)}"
                return Fault(message, place, f"expected {keyword.usage}")
        found += spans
    return tuple(found)


def default(keyword: Keyword) -> object:
    """A keyword's default as decoding would give it: plugins may write 5 for 5.0, and "200-299 301" for ranges."""
    value = keyword.default
    if isinstance(value, str) and keyword.kind in ("words", "ranges"):
        return several(keyword, value.split())
    if keyword.kind == "ranges" and value:
        return tuple((item, item) if isinstance(item, int) else item for item in value)
    return float(value) if keyword.kind in ("float", "seconds") and isinstance(value, int) else value


@lru_cache(maxsize=1024)
def _spans(word: str) -> list[tuple[int, int]] | None:
    try:
        return [(span.first, span.get("last", span.first)) for span in RANGES.parse_string(word)]
    except pp.ParseException:
        return None
