import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lit_medseg.cluster.interruption import Interruption
from lit_medseg.cluster.stop_request import STATUS, Cause, StopRequest, ask_to_stop, forget_stop, reason_of


@pytest.fixture
def interruption():
    found = Interruption()
    with found.listen():
        found.deferred = True
        yield found


def test_nothing_asks(tmp_path, interruption):
    assert StopRequest(interruption).cause(tmp_path) is Cause.NONE
    assert StopRequest(interruption, os.getppid()).cause(tmp_path) is Cause.NONE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_noted_and_interrupts_nothing(tmp_path, interruption, number):
    os.kill(os.getpid(), number)
    assert StopRequest(interruption).cause(tmp_path) is Cause[signal.Signals(number).name]
    assert STATUS[Cause[signal.Signals(number).name]] == 128 + number
    # a warning of minutes ahead gives no haste
    assert (interruption.seconds is None) == (number == signal.SIGUSR1)


def test_a_second_ctrl_c_interrupts(interruption, capfd):
    signal.raise_signal(signal.SIGINT)
    assert "Ctrl-C again stops at once" in capfd.readouterr().err
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_stop_file_has_its_own_words(tmp_path, interruption):
    request = StopRequest(interruption)
    ask_to_stop(tmp_path, "pruned at epoch 3")
    assert request.cause(tmp_path) is Cause.STOP_FILE
    assert reason_of(Cause.STOP_FILE, tmp_path) == "pruned at epoch 3"
    assert [file.name for file in tmp_path.iterdir()] == ["stop.json"]
    (tmp_path / "stop.json").write_text("half a fi")
    assert reason_of(Cause.STOP_FILE, tmp_path) == "asked to stop"
    forget_stop(tmp_path)
    forget_stop(tmp_path)
    assert StopRequest(interruption).cause(tmp_path) is Cause.NONE


def test_a_parent_that_is_gone_asks(tmp_path):
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from lit_medseg.cluster.interruption import Interruption\n"
        "from lit_medseg.cluster.stop_request import StopRequest\n"
        "request = StopRequest(Interruption(), int(sys.argv[1]))\n"
        "found = Path(sys.argv[2])\n"
        "(found / 'first').write_text(request.cause(found).name)\n"
        "while os.getppid() == int(sys.argv[1]): time.sleep(0.05)\n"
        "time.sleep(1.1)\n"
        "(found / 'second.part').write_text(request.cause(found).name)\n"
        "(found / 'second.part').rename(found / 'second')\n"
    )
    (tmp_path / "child.py").write_text(script)
    start = (
        "import os, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "subprocess.Popen([sys.executable, sys.argv[1] + '/child.py', str(os.getpid()), sys.argv[1]])\n"
        "while not Path(sys.argv[1], 'first').exists(): time.sleep(0.05)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", start, str(tmp_path)], check=True, env=environment, timeout=120)
    wait = "import sys, time; from pathlib import Path\nwhile not Path(sys.argv[1]).exists(): time.sleep(0.05)"
    subprocess.run([sys.executable, "-c", wait, str(tmp_path / "second")], check=True, timeout=60)
    assert (tmp_path / "first").read_text() == "NONE"
    assert (tmp_path / "second").read_text() == "PARENT_GONE"
