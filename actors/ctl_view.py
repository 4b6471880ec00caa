"""How ``understudyctl`` shows the daemon's replies: tables, in colour on a terminal, plain and uncut elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

UNCUT = 10_000
"""Columns of an output that is no terminal: a pipe has no edge."""

GOOD, BAD, UNSURE, ASIDE = "green", "bold red", "yellow", "dim"
STYLES = {
    "OK": GOOD, "FAILED": BAD, "UNKNOWN": UNSURE,
    "MASTER": GOOD, "BACKUP": ASIDE, "FAULT": BAD, "INIT": UNSURE,
    "SILENT": BAD, "RUNNING": GOOD, "RESTARTING": UNSURE, "PARKED": BAD, "STOPPED": ASIDE,
}  # fmt: skip

LAID_OUT = 500
"""Rows above which a table is not fitted to the terminal: rich takes 0.6 ms a row for it, 12 s for 10,000 servers."""

Row = Mapping[str, Any]


def show(reply: Row, console: Console | None = None) -> None:
    """Print a reply of any kind to standard output."""
    show_parts(_parts(reply), console or screen_for_output())


def show_parts(parts: Iterable[RenderableType], screen: Console) -> None:
    """Print texts and tables."""
    for part in parts:
        if isinstance(part, Table) and (not screen.is_terminal or part.row_count > LAID_OUT):
            screen.file.writelines(uncut(part))
        else:
            screen.print(part, soft_wrap=isinstance(part, Text))


def plain(reply: Row) -> Iterator[str]:
    """The lines of a reply of any kind, as they are off a terminal."""
    for part in _parts(reply):
        yield from uncut(part) if isinstance(part, Table) else [f"{part}\n"]


def uncut(table: Table) -> Iterator[str]:
    """The lines of a table, as wide as they come and without colour."""
    for row in zip(*(_aligned(column) for column in table.columns), strict=True):
        yield "  ".join(row).rstrip() + "\n"


def _aligned(column: Column) -> list[str]:
    cells = [str(cell) for cell in (column.header, *column.cells)]
    width = max(map(len, cells))
    return [cell.rjust(width) if column.justify == "right" else cell.ljust(width) for cell in cells]


def screen_for_output() -> Console:
    """Standard output: a terminal, or something that has no edge."""
    screen = Console(highlight=False, markup=False, emoji=False)
    return screen if screen.is_terminal else Console(highlight=False, markup=False, emoji=False, width=UNCUT)


def _parts(reply: Row) -> Iterable[RenderableType]:
    if "lines" in reply:
        return [Text(line) for line in reply["lines"]]
    if "tree" in reply:
        return [tree(reply["processes"], reply["tree"])]
    vrrp = (("routers", routers), ("groups", groups))
    tables = [view(reply[name]) for name, view in vrrp if reply.get(name)]
    balancing = (("services", services), ("servers", servers), ("checkers", checkers))
    tables += [view(reply[name]) for name, view in balancing]
    return [heading(reply), *network(reply), *whole(reply), *(part for table in tables for part in (Text(), table))]


def heading(status: Row) -> Text:
    """Who answers, on which plane, for how long."""
    facts = ("router_id", "dataplane", "config")
    said = [str(status[name]) for name in facts if status.get(name)]
    return Text("  ".join([*said, f"pid {status.get('pid')}", f"up {duration(status.get('uptime'))}"]), "bold")


def network(status: Row) -> Iterator[Text]:
    """What was read from the network for nobody, and how often news of links were lost; nothing where nothing was."""
    said = status.get("network", {})
    for interface, reasons in sorted(said.get("discarded", {}).items()):
        for reason, count in sorted(reasons.items()):
            yield Text(f"{interface}  {count} packets for no router: {reason}", UNSURE)
    if said.get("link_resyncs"):
        yield Text(f"news of links were lost {said['link_resyncs']} times, and all was read anew", UNSURE)


def whole(status: Row) -> Iterator[Text]:
    """How IPVS is set as a whole; nothing where nothing is set."""
    for row in status.get("ipvs", ()):
        yield Text(f"{row['id']}  {row['fault'] or row['state'] or 'nothing'}", BAD if row["fault"] else "")


def routers(rows: Iterable[Row]) -> Table:
    """One line a virtual router."""
    table = table_of("ROUTER", "ROLE", "PRIORITY>", "VRID>", "INTERFACE", "VERSION>", "ADDRESSES", "REASON")
    for row in rows:
        table.add_row(
            Text(row["id"]),
            state(row["role"]),
            f"{row['priority']}/{row['configured_priority']}",
            *_figures(row, "vrid"),
            Text(row["interface"]),
            *_figures(row, "version"),
            Text("held", GOOD) if row["holds_addresses"] else Text("not held", ASIDE),
            Text(row["reason"]),
        )
    return table


def groups(rows: Iterable[Row]) -> Table:
    """One line a sync group."""
    table = table_of("GROUP", "ROLE", "MEMBERS", "REASON")
    for row in rows:
        table.add_row(Text(row["id"]), state(row["role"]), Text(" ".join(row["members"])), Text(row["reason"]))
    return table


def services(rows: Iterable[Row]) -> Table:
    """One line a virtual server."""
    table = table_of("SERVICE", "SCHEDULER", "METHOD", "QUORUM", "UP>", "SORRY", "CONN>", "DRIFT>", "ERROR")
    for row in rows:
        quorum = Text("yes", GOOD) if row["quorum"] else Text("no", BAD)
        up = f"{row['servers_up']}/{row['servers']}"
        figures = _figures(row, "connections", "drift")
        names = (Text(row["id"]), Text(row["scheduler"]), Text(row["method"]))
        table.add_row(*names, quorum, up, _sorry(row), *figures, Text(row["error"], BAD))
    return table


def servers(rows: Iterable[Row]) -> Table:
    """One line a real server; its weight is the one in the pool, of the configured one."""
    table = table_of("SERVER", "VERDICT", "IN POOL", "WEIGHT>", "CONN>", "SERVICE", "CHECKERS", "DETAIL")
    for row in rows:
        table.add_row(
            Text(place(row["address"], row["port"])),
            state(row["verdict"]),
            Text("yes", GOOD) if row["in_pool"] else Text("no", UNSURE),
            f"{row['weight']}/{row['configured_weight']}",
            *_figures(row, "connections"),
            Text(row["service"]),
            Text(" ".join(row["checkers"])),
            Text(row["detail"]),
        )
    return table


def checkers(rows: Iterable[Row]) -> Table:
    """One line a checker. ``assumed`` marks a verdict that no result stands behind yet."""
    told = ("CHECKER", "KEYWORD", "TARGET", "VERDICT", "LATENCY>", "AGE>", "RUNS>", "FAILED>", "HUNG>", "PHASE")
    table = table_of(*told, "DETAIL")
    for row in rows:
        table.add_row(
            Text(row["id"]),
            Text(row["keyword"]),
            Text(row["target"]),
            state(row["verdict"], " assumed" if row["assumed"] else _less(row)),
            latency(row["latency"]),
            duration(row["age"]),
            *_figures(row, "runs", "failures", "hung"),
            state(row["phase"], f" {row['crashes']} crashes" if row["crashes"] else ""),
            Text(row["detail"]),
        )
    return table


def _less(row: Row) -> str:
    share, weight = row.get("share", 100), row.get("weight")
    if weight is not None:
        return f" weight {weight}"
    return f" {share} %" if share < 100 else ""


def tree(processes: Iterable[Row], actors: Iterable[Row]) -> Table:
    """One line a process, and below it one for each actor that lives in it.

    What waits is of a process what it has not read yet, of an actor its messages.
    """
    table = table_of("PROCESS, ACTOR", "KIND", "PHASE", "CRASHES>", "RESTARTS>", "WAITING>", "LAG>", "WORST>")
    homes: dict[str, list[Row]] = {}
    for row in actors:
        homes.setdefault(row["process"], []).append(row)
    for process in processes:
        table.add_row(*_process(process))
        inside = homes.get(process["name"], [])
        for row in inside:
            branch = "└─ " if row is inside[-1] else "├─ "
            name, kind = Text(branch, ASIDE) + Text(row["id"]), Text(row["kind"], ASIDE)
            table.add_row(name, kind, state(row["phase"]), *symptoms(row, "crashes", "restarts", "mailbox"), "", "")
    return table


def _process(row: Row) -> list[RenderableType]:
    waiting = f"{row['programs']} programs" if row["programs"] else size(row["waiting"])
    return [
        Text(row["name"], "bold"),
        Text(f"pid {row['pid']}", ASIDE),
        state("SILENT" if row["silent"] else "RUNNING"),
        Text(""),
        *symptoms(row, "replaced"),
        Text(waiting),
        *(Text(each) for each in lag(row["lag"])),
    ]


def lag(said: Row | None) -> tuple[str, str]:
    """How late a loop is as a rule, and at most in the last minute."""
    return ("", "") if said is None else (latency(said["median"]), latency(said["worst"]))


def symptoms(row: Row, *names: str) -> list[Text]:
    """Figures that are nought as long as all is well."""
    return [Text(str(row[name]), UNSURE if row[name] else ASIDE) for name in names]


def place(address: str, port: int) -> str:
    """``10.0.0.1:80`` or ``[::1]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def latency(seconds: float | None) -> str:
    """Milliseconds; ``-`` for None."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def size(amount: int | None) -> str:
    """Bytes in the greatest unit that leaves at least one: ``512 B``, ``1.5 MB``; ``-`` for None."""
    if amount is None:
        return "-"
    left, unit = float(amount), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1024 or unit == "GB":
            break
        left /= 1024
    return f"{left:.0f} {unit}" if unit == "B" or left >= 100 else f"{left:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """The two greatest units that are not nought: ``0.4 s``, ``3 m 12 s``, ``2 d 5 h``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def table_of(*headings: str) -> Table:
    """An empty table. A heading that ends in ``>`` is of a column of figures."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=ASIDE)
    for heading in headings:
        right = heading.endswith(">")
        table.add_column(heading.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def _sorry(row: Row) -> Text:
    if row["sorry"]:
        return Text(f"serving: {row['sorry_server']}", UNSURE)
    return Text(row["sorry_server"] or "-", ASIDE)


def state(word: str, more: str = "") -> Text:
    """A word in its colour."""
    return Text(word + more, STYLES.get(word, ""))


def _figures(row: Row, *names: str) -> list[str]:
    return [str(row[name]) for name in names]
