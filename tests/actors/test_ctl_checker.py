"""``understudyctl checker``: list, help, run, new."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.ctl import main
from plugins.registry import find
from tests.plugins.peers import peer

ROOT = Path(__file__).resolve().parents[2]

LINES = '''from plugins.api import Degraded, Failed, Passed, checker, option

@checker("SPARE_CHECK")
class Spare:
    """Healthy when asked to be."""
    {option}
    def probe(self, target):
        {body}
'''


def ctl(*words: str) -> Result:
    return CliRunner().invoke(main, ["checker", *words])


def plugin(folder: Path, body: str, option: str = "") -> str:
    """A file with a checker."""
    file = folder / "spare.py"
    file.write_text(LINES.format(body=body, option=option))
    return str(file)


def test_the_list_has_every_checker_what_it_looks_at_and_its_file(tmp_path: Path) -> None:
    plugin(tmp_path, "return Passed()")
    lines = ctl("list", "--location", str(tmp_path)).output.splitlines()
    words = [(line.split()[0], line.split()[-1]) for line in lines]
    assert words[0] == ("KEYWORD", "FROM")
    shipped = {(keyword, f"plugins/{cls.__module__.removeprefix('plugins.')}.py")
               for keyword, cls in find(entry_points=False).checkers.items()}  # fmt: skip
    assert {*words[1:]} >= shipped
    assert [line for line in lines if "SPARE_CHECK" in line and "Healthy when asked to be." in line]
    assert ("SPARE_CHECK", str(tmp_path / "spare.py")) in words


def test_help_shows_what_it_takes_nested_and_a_declaration_with_what_it_cannot_be_without() -> None:
    text = ctl("help", "RT_HTTP_GET").output
    assert text.startswith("RT_HTTP_GET, TH_HTTP_GET\nHealthy when every url is answered")
    assert "RT_HTTP_GET NAME {\n    url {\n        path TEXT\n    }\n}\n" in text
    for line in ("url { ... }  required", "path TEXT  required", "status_code N|N-M ... (100..599)  200-299"):
        assert line in "\n".join("  ".join(part.split("  ")) for part in _narrow(text)), line
    assert "AS EVERY CHECKER" in text


def _narrow(text: str) -> list[str]:
    """Lines with two blanks where there were more."""
    return ["  ".join(filter(None, (part.strip() for part in line.split("  ")))) for line in text.splitlines()]


def test_a_secret_has_no_default_to_see(tmp_path: Path) -> None:
    file = plugin(tmp_path, "return Passed()", 'word: str = option("hunter2", help="a word", secret=True)')
    assert "hunter2" not in ctl("help", file).output


@pytest.mark.parametrize(
    ("body", "said", "status"),
    [
        ("return Passed('fine', {'lag': 1.5})", ["OK  fine", "  lag 1.5"], 0),
        ("return Degraded(30, 'slow')", ["OK 30 %  slow"], 0),
        ("return Failed('it is shut')", ["FAILED  it is shut"], 1),
        ("raise OSError(111, 'Connection refused')", ["FAILED  Connection refused"], 1),
        ("1 / 0", ["CRASHED  ZeroDivisionError: division by zero"], 70),
        ("raise SystemExit(3)", ["CRASHED  SystemExit: 3"], 70),
    ],
)
def test_a_probe_is_told_of_in_a_line_and_by_the_exit_status(
    tmp_path: Path, body: str, said: list[str], status: int
) -> None:
    done = ctl("run", plugin(tmp_path, body), "127.0.0.1:80")
    lines = done.output.splitlines()
    assert [line[: len(start)] for line, start in zip(lines, said, strict=False)] == said
    assert lines[0].endswith(" ms")
    assert done.exit_code == status
    assert ("Traceback" in done.output) == (status == 70)


def test_options_are_those_of_a_configuration_in_either_way_of_giving_them(tmp_path: Path) -> None:
    option = 'said: tuple[str, ...] = option((), help="words"); often: int = option(1, help="times", max=5)'
    file = plugin(tmp_path, "raise Failed(f'{self.said} {self.often}')", option)
    for given in (("--said", "a b", "c", "--often=3"), ("-o", 'said "a b" c', "-o", "often 3")):
        assert ctl("run", file, "127.0.0.1", *given).output.startswith("FAILED  ('a b', 'c') 3  ")


def test_what_is_wrong_with_an_option_is_shown_in_its_place(tmp_path: Path) -> None:
    file = plugin(tmp_path, "return Passed()", 'often: int = option(1, help="times", max=5)')
    done = ctl("run", file, "127.0.0.1", "--often", "6")
    assert done.exit_code == 2
    assert done.output.startswith("understudyctl: options:2:7: error: ")
    assert "often 6\n      |       ^ expected often N (..5)\n" in done.output
    assert "nobody names" not in ctl("run", file, "127.0.0.1", "--oftn", "6").output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("NOPE", "127.0.0.1"), "no checker 'NOPE'; there are "),
        (("TCP_CHECK", "127.0.0.1:http"), "'http' is no port"),
        (("TCP_CHECK", "127.0.0.1:70000"), "'70000' is no port"),
        (("TCP_CHECK", "127.0.0.1:7", "tail"), "'tail' is no option: they are --NAME VALUE, or -o 'NAME VALUE'"),
        (("nowhere.py", "127.0.0.1"), "nowhere.py: cannot be read: No such file or directory"),
        (("TCP_CHECK", "no.such.host.invalid:7"), "no.such.host.invalid: "),
    ],
)
def test_what_cannot_be_tried_is_refused_with_the_reason(words: tuple[str, ...], reason: str) -> None:
    done = ctl("run", *words)
    assert (done.exit_code, reason in done.output) == (2, True), done.output


def test_a_file_of_several_wants_a_keyword(tmp_path: Path) -> None:
    file = plugin(tmp_path, "return Passed()")
    text = Path(file).read_text()
    Path(file).write_text(text + text.partition("\n\n")[2].replace("SPARE", "OTHER").replace("Spare", "Other"))
    assert "it has OTHER_CHECK, SPARE_CHECK: say spare.py:KEYWORD" in ctl("run", file, "127.0.0.1").output
    assert ctl("run", f"{file}:OTHER_CHECK", "127.0.0.1").exit_code == 0


def test_a_trace_has_the_steps_of_each_probe_and_several_are_counted() -> None:
    with peer() as server:
        done = ctl("run", "TCP_CHECK", f"localhost:{server.port}", "--trace", "--times", "2", "--interval", "0")
    words = [line.split()[0] for line in done.output.splitlines()]
    assert words == ["OK", "resolve", "connect", "rest", "OK", "resolve", "connect", "rest", "2"]
    assert done.output.endswith("2 probes, 2 passed, 0 failed, 0 crashed\n")


def test_connect_ip_and_port_go_before_the_target() -> None:
    with peer() as server:
        given = ("--connect_ip", "127.0.0.1", "--connect_port", str(server.port))
        assert ctl("run", "TCP_CHECK", "192.0.2.1:9", *given).exit_code == 0


def test_a_new_checker_works_its_test_passes_and_its_folder_is_one_of_plugins(tmp_path: Path) -> None:
    done = ctl("new", "my-greeting", "--folder", str(tmp_path / "checkers"))
    assert done.output.splitlines() == [
        str(tmp_path / f"checkers/{name}.py") for name in ("my_greeting", "test_my_greeting")
    ]
    found = find([tmp_path / "checkers"], entry_points=False)
    assert (found.blamed, "MY_GREETING_CHECK" in found.checkers) == ((), True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_greeting.py"]
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        command, cwd=tmp_path / "checkers", env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, "4 passed" in ran.stdout) == (0, True), ran.stdout


@pytest.mark.parametrize("name", ["", "9lives", "a b", "../up", "RT_X"])
def test_what_is_no_name_for_a_checker_is_refused(tmp_path: Path, name: str) -> None:
    assert ctl("new", "--folder", str(tmp_path), "--", name).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("precious")
    done = ctl("new", "mine", "--folder", str(tmp_path))
    assert (done.exit_code, done.output) == (2, f"understudyctl: {tmp_path}/test_mine.py: is there already\n")
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]
