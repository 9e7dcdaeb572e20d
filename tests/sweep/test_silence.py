"""A storage that was away before, and has answered since, gets its whole time again."""

import time

from lit_medseg.sweep.silence import Silence


def test_silence_lasts_from_the_first_question_to_the_next_answer(monkeypatch):
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def after(seconds):
        now[0] += seconds
        return silence.note()

    silence = Silence()
    assert not silence.lasts
    assert [after(0), after(10), after(10)] == [0, 10, 20]
    assert silence.lasts
    assert [after(4000), after(10)] == [0, 10]  # nobody asked in vain meanwhile
    silence.end()
    assert not silence.lasts
    assert after(1) == 0
