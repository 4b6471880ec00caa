"""``python -m actors.main CONF``: the command line. Before all else the standard library is made cooperative."""

# ruff: noqa: E402, I001
from gevent import monkey

monkey.patch_all()

import os
import sys
from pathlib import Path

# structlog would load rich into every process, 7 MiB, for tracebacks that are printed plain here.
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: F401

del sys.modules["rich"]

import click

from actors.configuration import ConfigurationError, check
from actors.control import AlreadyInUse
from actors.daemon import EXIT_CONFIGURATION, EXIT_FATAL, Daemon, Settings
from actors.logs import configure
from actors.nursery import Nursery
from actors.picture import picture
from actors.planes import PlaneError
from actors.process import preload, serve
from actors.systemd import found


LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "human", "json")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("conf", type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Check CONF: 0 good, 4 unreadable, 5 errors or warnings.")
@click.option("--tree", "only_tree", is_flag=True, help="Print the supervision tree of the configuration.")
@click.option("--dry-run", is_flag=True, help="Run the checkers, but only log the edits of the data plane.")
@click.option("--single-process", is_flag=True, help="Keep every actor in this process.")
@click.option("--socket", type=click.Path(path_type=Path), help="Path of the control socket for understudyctl.")
@click.option("--console", type=click.Path(path_type=Path), help="Open the backdoor console on this Unix socket.")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option("--log-format", type=click.Choice(FORMATS), default="auto", show_default=True)
def main(
    conf: Path,
    only_check: bool,
    only_tree: bool,
    dry_run: bool,
    single_process: bool,
    socket: Path | None,
    console: Path | None,
    log_level: str,
    log_format: str,
) -> None:
    """Keep the services of CONF up: VRRP failover and load balancing, driven by named checkers."""
    configure(log_level, log_format)
    if only_check:
        sys.exit(check(conf))
    try:
        ear = found(os.environ, os.getpid())
        preload()
        settings = Settings(conf, dry_run, socket, console, log_level, log_format)
        nursery = None if single_process or only_tree else Nursery(serve)
        daemon = Daemon(settings, nursery, ear)
        if only_tree:
            click.echo(picture(daemon.tree))
            return
        sys.exit(daemon.run())
    except ConfigurationError as error:
        click.echo(str(error), nl=False, err=True)
        sys.exit(EXIT_CONFIGURATION)
    except (PlaneError, AlreadyInUse, OSError) as error:
        ways_out = [f"  {way}" for way in getattr(error, "remedies", ())]
        click.echo("\n".join([f"understudyd: {error}", *ways_out]), err=True)
        sys.exit(EXIT_FATAL)


if __name__ == "__main__":
    main()
