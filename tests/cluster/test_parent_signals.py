import os
import signal
import threading

import pytest

from lit_medseg.cluster.parent_signals import ParentSignals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_signal_is_noted_and_nothing_is_interrupted(number, status):
    signals = ParentSignals()
    earlier = signal.getsignal(number)
    with signals.listen():
        assert signals.first is None
        assert signals.status == 0
        os.kill(os.getpid(), number)
        assert signals.first is number
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.first is number
    assert signals.status == status
    assert signal.getsignal(number) == earlier


def test_a_second_ctrl_c_interrupts():
    signals = ParentSignals()

    def impatient():
        with signals.listen():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_get_no_signals():
    signals = ParentSignals()
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def listen():
        with signals.listen():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_ctrl_c_after_a_schedulers_warning_counts_as_a_ctrl_c():
    signals = ParentSignals()
    with signals.listen():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGINT)
    assert signals.status == 130
