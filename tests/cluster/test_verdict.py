import pytest

from lit_medseg.cluster.rank_failure import RankFailure, failure_of
from lit_medseg.cluster.verdict import WAIT_S, Verdict, Weight
from lit_medseg.errors import DataError


def failure(rank):
    return RankFailure(rank, "n1", "failed")


def test_a_ranks_own_words_are_the_cause_at_once():
    verdict = Verdict()
    verdict.add(failure(2), Weight.FELT, 10.0)
    assert verdict.decide(10.1) is None
    verdict.add(failure(1), Weight.OWN_WORDS, 10.2)
    assert verdict.cause == failure(1)
    verdict.add(failure(3), Weight.OWN_WORDS, 10.3)
    assert verdict.decide(100.0) == failure(1)


def test_of_effects_the_one_that_explains_most_is_the_cause_after_a_while():
    verdict = Verdict()
    for rank, weight in ((3, Weight.FELT), (2, Weight.LOST), (1, Weight.EXIT_STATUS), (4, Weight.LOST)):
        verdict.add(failure(rank), weight, 10.0)
    assert verdict.decide(10.0 + 0.9 * WAIT_S) is None
    assert verdict.decide(10.0 + WAIT_S) == failure(1)


def test_a_failure_tells_rank_host_place_and_traceback_without_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="convert") as caught:
        float(f"{tmp_path}/a.csv")
    told = failure_of(caught.value, 3, "n7", "in the forward pass of batch 1 of epoch 0")
    assert told.line == (
        "rank 3 on n7 failed (in the forward pass of batch 1 of epoch 0): "
        "ValueError: could not convert string to float: 'a.csv'"
    )
    assert 'File "test_verdict.py", line' in told.details
    assert str(tmp_path) not in told.report
    assert (told.status, told.felt) == (1, False)


def test_a_broken_connection_is_felt_and_a_users_fault_has_no_traceback():
    assert failure_of(RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:3"), 0, "n1").felt
    told = failure_of(DataError("case p07: unreadable, expected a PNG, got text. Replace it."), 1, "n1", "starting")
    assert told.line == "rank 1 on n1 failed: case p07: unreadable, expected a PNG, got text. Replace it."
    assert (told.details, told.status, told.felt) == ("", 2, False)
