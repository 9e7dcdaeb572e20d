"""Hours of work, by the clock of the file system that all workers see."""

import json
import os
import time

from lit_medseg.sweep.worker_files import WorkerFile, living_workers, worked_s
from lit_medseg.tracking.lease import this_process


def test_a_host_whose_clock_is_wrong_counts_no_hours(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1.0)  # in 1970
    WorkerFile(tmp_path).renew()
    assert worked_s(tmp_path) < 60
    assert living_workers(tmp_path) == [this_process()]


def test_hours_of_several_workers_count_once_and_pauses_do_not(tmp_path):
    owner = {"host": "a", "pid": 1, "mark": "m"}
    for number, (start, end) in enumerate([(100, 200), (150, 250), (400, 450)]):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps({"owner": owner, "started": start}))
        os.utime(file, (end, end))
    assert worked_s(tmp_path) == 200
