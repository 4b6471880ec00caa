"""A pytest plugin in the guest: every report goes to the second serial port, one line of JSON each."""

import json
import os

import pytest

PORT = os.environ.get("UNDERSTUDY_REPORTS", "/dev/ttyS1")


def pytest_configure(config: pytest.Config) -> None:
    """Open the port."""
    config.pluginmanager.register(Reports(config))


IS_WHOLE = "UNDERSTUDY_SLOW" in os.environ


class Reports:
    """Writes what happened to each test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._port = open(PORT, "w", buffering=1)  # noqa: SIM115 (closed with the guest)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of setup, call or teardown; what a passed one has printed stays here, unless it is to be measured."""
        told = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        if report.passed and not IS_WHOLE:
            told["sections"] = []
        told["keywords"] = {}
        self._port.write(json.dumps(told) + "\n")
