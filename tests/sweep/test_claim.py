"""Who works on a trial, on file systems that lose answers, and with workers that die."""

import json
import os
import time
from dataclasses import asdict, replace

import pytest

from lit_medseg.sweep.claim import claims, lost_workers, take
from lit_medseg.tracking.lease import this_process


def test_a_link_whose_answer_was_lost_is_ours(tmp_path, monkeypatch):
    link = os.link

    def loses_its_answer(source, target):
        link(source, target)
        raise FileExistsError

    monkeypatch.setattr(os, "link", loses_its_answer)
    assert take(tmp_path).attempt == 1
    assert [claim.ours for claim in claims(tmp_path)] == [True]


def test_a_claim_that_another_has_made_is_not_ours(tmp_path, monkeypatch):
    link = os.link

    def is_second(source, target):
        other = tmp_path / "other"
        other.write_text(json.dumps(asdict(replace(this_process(), pid=1))))
        link(other, target)
        link(source, target)

    monkeypatch.setattr(os, "link", is_second)
    assert take(tmp_path) is None


def test_colleagues_can_read_a_claim(tmp_path):
    assert take(tmp_path).file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("ending", "lost"), [("", 1), ("given back", 0), ("its child died", 0)])
def test_workers_that_died_are_counted(tmp_path, ending, lost):
    claim = take(tmp_path)
    if ending == "given back":
        claim.give_back()
    if ending == "its child died":
        claim.note_death("signal 9")
    claim.file.write_text(json.dumps(asdict(replace(claim.owner, mark="an earlier process"))))
    assert lost_workers(tmp_path) == lost
    assert lost_workers(tmp_path, time.time() + 60.0) == 0
    take(tmp_path)
    assert lost_workers(tmp_path) == lost
