"""Tests in ``inside/`` run in the guest; here each is collected, waited for, and reported as if it had run here.

The guest boots when the session begins to run, the tests that need it come last, and all others run meanwhile.
"""

import os
from pathlib import Path

import pytest

from tests.kernel.guest import LIMIT, Guest
from tests.kernel.image import Impossible, Missing

INSIDE = Path(__file__).with_name("inside")
IS_GUEST = "UNDERSTUDY_GUEST" in os.environ
BOOTED = pytest.StashKey[Guest | Missing]()


def is_inside(item: pytest.Item) -> bool:
    """Whether the test is one for the guest."""
    return INSIDE in item.path.parents


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the guest's tests to the end, with time for the boot."""
    items.sort(key=is_inside)
    for item in items:
        if is_inside(item) and not IS_GUEST:
            item.add_marker(pytest.mark.timeout(LIMIT + 60))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Boot, when there is a reason to."""
    tests = [item.nodeid for item in session.items if is_inside(item)]
    if IS_GUEST or not tests or session.config.option.collectonly:
        return
    try:
        session.config.stash[BOOTED] = Guest(tests)
    except Missing as reason:
        session.config.stash[BOOTED] = reason


def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """In place of running it: hand on what the guest reports."""
    if IS_GUEST or not is_inside(item):
        return None
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item):
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the guest."""
    guest = session.config.stash.get(BOOTED, None)
    if isinstance(guest, Guest):
        guest.close()


def _reports(item: pytest.Item) -> list[pytest.TestReport]:
    guest = item.config.stash[BOOTED]
    if isinstance(guest, Missing):
        return [_unmade(item, str(guest), may_skip=isinstance(guest, Impossible))]
    terminal = item.config.pluginmanager.getplugin("terminalreporter")
    told = guest.reports(item.nodeid, lambda stage: terminal.write_line(stage) if terminal else None)
    convert = item.config.hook.pytest_report_from_serializable
    reports = [convert(config=item.config, data=report) for report in told]
    if not reports or reports[-1].when != "teardown":
        reports.append(_unmade(item, f"the guest did not report it; the end of its console:\n{guest.log()}"))
    elif any(report.failed for report in reports):
        reports[-1].sections.append(("the guest's console", guest.log()))
    return reports


def _unmade(item: pytest.Item, reason: str, may_skip: bool = False) -> pytest.TestReport:
    """The report of a test that was not run. In CI that is a failure, whatever the reason."""
    place = (str(item.path), item.location[1] or 0, reason)
    if may_skip and os.environ.get("CI") != "true":
        return pytest.TestReport(item.nodeid, item.location, {}, "skipped", place, "setup")
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", reason, "call")
