"""What `bench.ipvs` makes of the figures that the guest has told."""

from io import StringIO

from rich.console import Console

from bench.ipvs import show

TOLD = """
MEASURED Ours 20.00 10500 3.00 1 100
MEASURED Theirs 2.00 10500 1.00 1 20
MEASURED storm 60000 30.00 1
MEASURED kills 50
"""


def test_both_programs_stand_beside_each_other_with_their_ratio() -> None:
    screen = StringIO()
    show(Console(width=120, file=screen), TOLD)
    text = screen.getvalue().splitlines()
    rows = [[word.strip() for word in line.strip("│ ").split("│")] for line in text if "│" in line]
    assert rows == [
        ["ours", "20.00 s", "10500", "3.00 s", "1", "100"],
        ["theirs", "2.00 s", "10500", "1.00 s", "1", "20"],
        ["ratio", "10.00", "1.00", "3.00", "1.00", "5.00"],
    ]
    assert text[-2:] == [
        "storm: 60000 verdicts decided and carried out in 30.00 s, 1 MiB more; table right",
        "killed and started again 50 times: table right, connections alive",
    ]
