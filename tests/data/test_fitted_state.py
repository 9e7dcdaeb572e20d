import json

import pytest

from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.truth import Truth
from lit_medseg.errors import CheckpointError
from lit_medseg.preprocess.pipeline import Pipeline


def state(others="background"):
    truth = Truth(masks={"spleen": 1, "liver": 5}, others=others)
    empty = Pipeline(())
    return FittedState(empty, empty, truth, truth.classes().target(), 2, (3.0, 1.5, 1.5), 3)


def test_it_goes_through_a_checkpoint():
    kept = state()
    back = FittedState.from_plain(json.loads(json.dumps(kept.plain())))
    assert back == kept
    assert list(back.truth.masks) == ["spleen", "liver"]
    assert (back.truth.others, back.axes) == ("background", 3)


def test_older_checkpoints_say_less():
    plain = state("refuse").plain()
    del plain["truth"]["others"], plain["axes"]
    back = FittedState.from_plain(plain)
    assert (back.truth.others, back.axes) == ("refuse", None)


def test_what_is_missing_is_refused():
    plain = state().plain()
    del plain["image_channels"]
    with pytest.raises(CheckpointError, match="unusable data part"):
        FittedState.from_plain(plain)
