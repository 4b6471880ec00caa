"""The benches of VRRP measure what they say, in a short run each."""

import re
import subprocess
import sys

from tests.system.lab import ROOT


def bench(name: str, *words: str) -> str:
    """What a bench prints."""
    done = subprocess.run([sys.executable, "-m", f"bench.{name}", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_failover_is_measured_beside_keepalived_and_never_comes_before_the_limit() -> None:
    printed = bench("failover", "--runs", "1", "--intervals", "0.1")
    for failure in ("crash", "priority 0", "failing check"):
        (first,) = re.findall(rf"^│ {failure}, 0.1 s *│ first advert *│ (\S+) / .*? │ (\S+) / ", printed, re.MULTILINE)
        assert all(float(median) > 0.0 for median in first)
    for what in ("address", "gratuitous ARP"):
        medians = re.findall(rf"│ {what} *│ (\S+) / .*? │ (\S+) / ", printed)
        assert len(medians) == 3
        assert all(float(median) > 0.0 for pair in medians for median in pair)


def test_kills_are_counted_and_what_they_cost_is_told() -> None:
    printed = bench("kills", "--kills", "1", "--mains", "1")
    assert printed.count("1 kills of the VRRP process, the backup took over 0 times") == 2
    assert re.search(r"1 kills of main: address off after [0-9.]+ ms.*addresses left behind: 0", printed)


def test_what_adverts_cost_is_measured_beside_keepalived_and_none_takes_over_before_its_limit() -> None:
    printed = bench("adverts", "--instances", "10", "--intervals", "0.1", "--seconds", "1", "--settle", "1")
    for what in ("CPU for an advert sent", "CPU for an advert received", "beyond own limit, worst", "PSS of all"):
        (found,) = re.findall(rf"{what}, \w+ *│ (\S+) *│ (\S+) ", printed)
        assert all(float(value) > 0 for value in found), printed
