"""A journal that a killed writer or a full disk cannot spoil."""

import multiprocessing
import resource
import signal

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
