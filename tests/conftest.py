"""What holds for every test: no network, no store or data of the person who runs it, no silent skip in CI."""

import os
import signal
from pathlib import Path

import pytest

# A shell has its background jobs ignore Ctrl-C, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before torch, albumentations or a hub's client is imported; child processes inherit them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_runtest_setup(item):
    if item.get_closest_marker("realdata") is None:
        return
    root = os.environ.get("LIT_MEDSEG_DATA", "")
    if not root or not Path(root).is_dir():
        pytest.skip(f"LIT_MEDSEG_DATA: no folder of real data, got {root!r}")


@pytest.fixture(autouse=True)
def _own_environment(request, monkeypatch):
    """Relative roots and the MLflow store are the test's own; tests marked realdata see LIT_MEDSEG_DATA."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if request.node.get_closest_marker("realdata") is None:
        monkeypatch.delenv("LIT_MEDSEG_DATA", raising=False)


def _skipped(session_or_config):
    config = getattr(session_or_config, "config", session_or_config)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("skipped", []) if reporter and os.environ.get("CI") == "true" else []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if exitstatus == pytest.ExitCode.OK and _skipped(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    for report in _skipped(config):
        terminalreporter.write_line(f"FAILED (skipped, which CI does not allow): {report.nodeid}", red=True)
