"""A journal that a killed writer or a full disk cannot spoil."""

import multiprocessing
import os
import resource
import signal
import threading

import optuna

from lit_medseg.sweep.journal import WholeLineJournal, open_journal


def test_a_line_that_was_cut_short_is_taken_away_by_the_next_writer(tmp_path):
    path = tmp_path / "study.journal"
    study = optuna.create_study(study_name="s", storage=open_journal(path))
    study.set_user_attr("before", 1)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 2, "study_id": 0, "user_a')
    again = optuna.load_study(study_name="s", storage=open_journal(path))
    assert again.user_attrs == {"before": 1}
    again.set_user_attr("after", 2)
    assert optuna.load_study(study_name="s", storage=open_journal(path)).user_attrs == {"before": 1, "after": 2}
    assert path.read_bytes().startswith(whole)
    # optuna's own journal loses what is written behind such a line, which is why there is another one
    path.write_bytes(whole + b'{"op_code": 2, "study_id": 0, "user_a')
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend)).set_user_attr("after", 2)
    assert optuna.load_study(study_name="s", storage=open_journal(path)).user_attrs == {"before": 1}


def _hang_while_writing(path, pipe):
    cut = os.ftruncate

    def hang(handle, size):  # the end of the journal is known, and nothing is written yet
        pipe.send("hangs")
        pipe.recv()
        cut(handle, size)

    os.ftruncate = hang
    WholeLineJournal(path).append_logs([{"writer": "hung"}])
    pipe.send("done")


def test_a_writer_that_hangs_longer_than_its_lock_file_lasts_spoils_nothing(tmp_path):
    path = tmp_path / "study.journal"
    journal = WholeLineJournal(path)
    journal.append_logs([{"writer": "first"}])
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    hung = context.Process(target=_hang_while_writing, args=(path, end))
    hung.start()
    assert pipe.poll(60)
    pipe.recv()
    path.with_name("study.journal.lock").unlink()  # what the next writer does after a while
    waits = threading.Thread(target=journal.append_logs, args=([{"writer": "next"}],))
    waits.start()
    waits.join(0.5)
    assert waits.is_alive()
    pipe.send("go on")
    hung.join(60)
    waits.join(60)
    assert hung.exitcode == 0
    assert [log["writer"] for log in WholeLineJournal(path).read_logs(0)] == ["first", "hung", "next"]


def _write_until_full(path, results):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
    journal = WholeLineJournal(path)
    written = 0
    try:
        while True:
            journal.append_logs([{"number": written, "text": "x" * 30}, {"number": written, "text": "y" * 30}])
            written += 1
    except OSError as error:
        results.put((written, error.strerror))


def test_a_full_disk_leaves_whole_lines_and_is_told(tmp_path):
    path = tmp_path / "study.journal"
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    writer = context.Process(target=_write_until_full, args=(path, results))
    writer.start()
    written, reason = results.get(timeout=60)
    writer.join(60)
    assert written > 1
    assert reason
    journal = WholeLineJournal(path)
    assert len(list(journal.read_logs(0))) == 2 * written  # both lines of a call, or none
    journal.append_logs([{"number": -1}])
    assert list(WholeLineJournal(path).read_logs(0))[-1] == {"number": -1}
