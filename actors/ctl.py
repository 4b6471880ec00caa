"""``understudyctl``: the operator's and author's command. It knows the running daemon by its control socket alone."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from actors.control_client import Refused, Unreachable, ask, default_path

SPOKEN = 1
"""The version of the daemon's replies that this command reads."""


class Commands(click.Group):
    """Those below, and those that need no daemon: they are loaded when they are asked for."""

    others = ("genhash", "checker")

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, in order."""
        return sorted([*super().list_commands(context), *self.others])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in self.others:
            return super().get_command(context, name)
        command: click.Command = import_module(f"actors.ctl_{name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--socket", type=click.Path(path_type=Path), help="The daemon's control socket, if not the usual one.")
@click.pass_context
def main(context: click.Context, socket: Path | None) -> None:
    """Ask a running understudyd how things stand, or try a checker without one."""
    context.obj = socket or default_path()


as_data = click.option("--json", "as_json", is_flag=True, help="The same as data.")


@main.command()
@as_data
@click.pass_obj
def status(path: Path, as_json: bool) -> None:
    """Services, servers and checkers with their verdicts and figures."""
    reply = _ask(path, {"ask": "status"})
    if reply.get("version") != SPOKEN:
        _give_up(f"this understudyctl reads version {SPOKEN} of the status, the daemon's is {reply.get('version')!r}")
    _show(reply, as_json)


@main.command()
@as_data
@click.pass_obj
def tree(path: Path, as_json: bool) -> None:
    """Every actor in start order, with its phase and crashes."""
    _show(_ask(path, {"ask": "tree"}), as_json)


@main.command()
@click.option("--once", is_flag=True, help="One picture instead of one each second.")
@click.option("--rows", default=40, show_default=True, help="Actors that are shown once.")
@as_data
@click.pass_obj
def top(path: Path, once: bool, rows: int, as_json: bool) -> None:
    """How all of it fares, once a second, the sickest actors first; q ends it."""
    if as_json:
        _show(_ask(path, {"ask": "top", "rows": rows}), as_json)
        return
    from actors import ctl_top
    from actors.ctl_view import screen_for_output

    screen = screen_for_output()
    if once or not screen.is_terminal:
        ctl_top.once(lambda wanted: _ask(path, {"ask": "top", "rows": wanted}), screen, rows)
    else:
        ctl_top.live(lambda wanted: ask(path, {"ask": "top", "rows": wanted}), screen)


@main.command()
@click.argument("id")
@as_data
@click.pass_obj
def why(path: Path, id: str, as_json: bool) -> None:
    """How the actor ID came to its status. Ids are those that ``tree`` shows."""
    _show(_ask(path, {"ask": "why", "id": id}), as_json)


@main.command()
@click.option("--stats", "form", flag_value="stats", help="What was carried since it was added.")
@click.option("--rate", "form", flag_value="rate", help="What is carried a second.")
@click.option("--thresholds", "form", flag_value="thresholds", help="Limits of connections.")
@click.option("--persistent-conn", "form", flag_value="persistent-conn", help="Clients that stick.")
@as_data
@click.pass_obj
def ipvs(path: Path, form: str | None, as_json: bool) -> None:
    """The load-balancing table, as ipvsadm -Ln shows it, and how each server fares."""
    reply = _ask(path, {"ask": "ipvs"})
    if as_json:
        _show(reply, as_json)
        return
    from actors import ctl_ipvs

    for line in ctl_ipvs.lines(reply["ipvs"], form or ""):
        click.echo(line)


@main.group()
def actor() -> None:
    """Crash, park or revive an actor by hand."""


@actor.command()
@click.argument("id")
@click.pass_obj
def crash(path: Path, id: str) -> None:
    """Have the actor ID crash, to see what happens: it is restarted as after any crash."""
    _show(_ask(path, {"ask": "actor", "do": "crash", "id": id}), False)


@actor.command()
@click.argument("id")
@click.pass_obj
def park(path: Path, id: str) -> None:
    """Stop the actor ID; its last status stands until it is revived, or the configuration is reloaded."""
    _show(_ask(path, {"ask": "actor", "do": "park", "id": id}), False)


@actor.command()
@click.argument("id")
@click.pass_obj
def revive(path: Path, id: str) -> None:
    """Start the actor ID now: it is parked, was stopped, or waits for its restart."""
    _show(_ask(path, {"ask": "actor", "do": "revive", "id": id}), False)


def _ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    try:
        reply = ask(path, request)
    except (Unreachable, Refused) as error:
        _give_up(str(error))
    if not isinstance(reply, dict):
        _give_up(f"what listens at {path} does not speak as understudyd does")
    return reply


def _show(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(reply, indent=2))
        return
    # Tables come late: rich takes 80 ms to load, which data and errors need not wait for.
    from actors.ctl_view import show

    show(reply)


def _give_up(reason: str) -> NoReturn:
    click.echo(f"understudyctl: {reason}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
