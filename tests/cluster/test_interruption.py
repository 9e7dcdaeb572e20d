import ctypes
import os
import signal
import sys
import threading
import time

import pytest

from lit_medseg.cluster.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_later_ones_do_not_disturb(number):
    before = signal.getsignal(number)
    interruption = Interruption()
    assert not interruption.happened
    with interruption.listen():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert interruption.happened
    assert signal.getsignal(number) is before


def test_a_second_signal_gives_haste_and_takes_nothing_back():
    interruption = Interruption()
    with interruption.listen():
        interruption.deferred = True
        signal.raise_signal(signal.SIGUSR1)
        assert (interruption.signal_number, interruption.seconds) == (signal.SIGUSR1, None)
        signal.raise_signal(signal.SIGTERM)
        # the time limit that was warned of: the job still goes back into its queue, and a rank that hangs is ended
        assert interruption.signal_number is signal.SIGUSR1
        assert interruption.seconds >= 0
        time.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
        assert interruption.seconds >= 0.1  # the first SIGTERM counts


def test_a_person_counts_more_than_a_warning():
    interruption = Interruption()
    with interruption.listen():
        interruption.deferred = True
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGINT)  # the first Ctrl-C: the checkpoint is still written
        assert interruption.signal_number is signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(sys.platform != "linux", reason="locks a mutex of the C library")
def test_a_thread_sees_the_signal_while_the_main_thread_waits_outside_of_python():
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    interruption, seen = Interruption(), []

    def watch():
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 5
        while not interruption.happened and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(interruption.happened)
        library.pthread_mutex_unlock(mutex)

    def collective():
        library.pthread_mutex_lock(mutex)  # no handler runs before it returns
        time.sleep(1.0)

    with interruption.listen():
        library.pthread_mutex_lock(mutex)
        watcher = threading.Timer(0.1, watch)
        watcher.start()
        with pytest.raises(KeyboardInterrupt):
            collective()
        watcher.join()
    assert seen == [True]


def test_another_thread_leaves_the_signals_alone():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def command():
        with Interruption().listen():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=command)
    thread.start()
    thread.join()
    assert found == [before]
