"""Rules for all tests. In CI (``CI=true``) a skip is a failure: what was not run has not been shown to work."""

import os
from collections.abc import Generator
from typing import Any

import pytest


def counted(report: Any) -> Any:
    """The report; one of a skip becomes a failure's in CI. An expected failure is not a skip."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: not run, and in CI that fails: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Of a test."""
    return counted((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Of a whole file."""
    return counted((yield))
