"""``python -m tests.system.faults``: a campaign, as root. It tells its seed, which brings it back."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.system.faults.campaign import NotHealed, Plan, play


def main() -> None:
    """Read the command line, and go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--folder", type=Path, help="where logs are kept; one of its own if none is given")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        number = play(Plan(given.seed, given.seconds, folder))
    except NotHealed as error:
        sys.exit(f"{error}\nagain: python -m tests.system.faults --seed {given.seed}; logs: {folder}")
    print(f"{number} faults, and all was well after each")


if __name__ == "__main__":
    main()
