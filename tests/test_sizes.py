"""Files and functions stay of a size that can be read."""

import ast
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[1]
FILES = [file for package in ("actors", "loader", "plugins") for file in sorted((ROOT / package).rglob("*.py"))]


def functions() -> dict[str, int]:
    found = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                found[f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    return found


def test_no_function_is_longer_than_40_lines() -> None:
    assert {name: lines for name, lines in functions().items() if lines > 40} == {}


def test_most_functions_are_short() -> None:
    lines = list(functions().values())
    assert (median(lines) <= 7, quantiles(lines, n=10)[-1] <= 20) == (True, True)


def test_most_files_fit_a_few_screens_and_few_are_long() -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in FILES}
    long = {name: count for name, count in lines.items() if count > 350}
    assert median(lines.values()) <= 150
    assert len(long) <= 3, long
