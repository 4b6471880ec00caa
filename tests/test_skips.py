"""In CI a skip is a failure; elsewhere it is a skip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ONE_TEST = "import pytest\n\n@pytest.mark.skip(reason='no kernel')\ndef test_it(): pass\n"
ONE_FILE = "import pytest\n\npytest.skip('no kernel', allow_module_level=True)\n"
EXPECTED = "import pytest\n\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert False\n"


def closing(text: str, folder: Path, ci: str) -> tuple[int, str]:
    """Exit code and closing line, less the time, of a run of ``text`` under the project's rules."""
    file = folder / "test_it.py"
    file.write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]


@pytest.mark.parametrize(
    ("text", "ci", "closing_line"),
    [
        (ONE_TEST, "true", (1, "1 error")),
        (ONE_TEST, "", (0, "1 skipped")),
        (ONE_FILE, "true", (2, "1 error")),
        (ONE_FILE, "", (5, "1 skipped")),
        (EXPECTED, "true", (0, "1 xfailed")),
    ],
)
def test_what_was_not_run_fails_in_ci(text: str, ci: str, closing_line: tuple[int, str], tmp_path: Path) -> None:
    assert closing(text, tmp_path, ci) == closing_line
