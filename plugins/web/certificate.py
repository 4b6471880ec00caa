"""When a certificate expires, read out of its bytes (RFC 5280 4.1): the standard library tells only of those that it
was asked to verify."""

from datetime import UTC, datetime

from plugins.api import Failed

INTEGER, SEQUENCE, UTC_TIME, GENERALIZED_TIME, VERSION = 0x02, 0x30, 0x17, 0x18, 0xA0


def not_after(der: bytes) -> datetime:
    """The end of a certificate's validity. Raises `Failed` for what is none."""
    try:
        _, certificate, _ = _element(der)
        _, content, _ = _element(certificate)
        fields = _fields(content)
        if fields[0][0] == VERSION:
            fields = fields[1:]
        _serial, _algorithm, _issuer, validity = fields[:4]
        (_, _), (kind, text) = _fields(validity[1])
        return _time(kind, text.decode("ascii"))
    except (IndexError, ValueError):
        raise Failed("the certificate cannot be read") from None


def _time(kind: int, text: str) -> datetime:
    if kind == GENERALIZED_TIME:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    if kind != UTC_TIME:
        raise ValueError("no time")
    century = "20" if int(text[:2]) < 50 else "19"  # RFC 5280 4.1.2.5.1
    return datetime.strptime(century + text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _fields(content: bytes) -> list[tuple[int, bytes]]:
    found = []
    while content:
        kind, value, content = _element(content)
        found.append((kind, value))
    return found


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Kind and content of the first element (X.690 8.1), and what follows it."""
    kind, size, start = data[0], data[1], 2
    if size & 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(data[2:start], "big")
    end = start + size
    if end > len(data):
        raise ValueError("cut short")
    return kind, data[start:end], data[end:]
