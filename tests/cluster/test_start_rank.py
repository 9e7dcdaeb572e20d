import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lit_medseg.cluster.start_rank import rank_command

ROOT = Path(__file__).parents[2]
SLEEPER = """
import signal, sys, time
print(sys.argv, signal.getsignal(signal.SIGTERM) == signal.SIG_IGN, flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
from lit_medseg.cluster.start_rank import rank_command
subprocess.Popen(rank_command("sleeper", ["--a", "b c"]))
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}


def test_a_rank_ends_with_a_killed_parent_and_not_with_a_signal_to_all(environment):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-c", PARENT], env=environment, **pipes) as parent:
        line = parent.stdout.readline()
        assert "'--a', 'b c'" in line
        assert line.endswith("True\n")
        [rank] = psutil.Process(parent.pid).children()
        os.kill(rank.pid, signal.SIGTERM)
        os.kill(rank.pid, signal.SIGINT)
        time.sleep(0.2)
        assert rank.is_running()
        parent.kill()
    rank.wait(5.0)


def test_a_rank_whose_parent_is_gone_already_does_not_begin(environment):
    command = rank_command("sleeper", [])
    other = [*command[:3], str(os.getppid()), *command[4:]]
    assert subprocess.run(other, env=environment, capture_output=True, timeout=30, check=False).returncode == 1
