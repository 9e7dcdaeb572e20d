"""Decisions on the native grid, and where their probabilities wait."""

import resource

import numpy as np
import pytest
import torch

from lit_medseg.imaging.volume import Volume
from lit_medseg.inference import probability_room as room
from lit_medseg.inference.native_codes import native_codes
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.sample import Sample
from lit_medseg.target import Binary, MultiClass, MultiLabel

NAMES = ("background", "a", "b")


@pytest.mark.parametrize(("target", "dtype"), [
    (Binary(NAMES[:2]), torch.uint8),
    (MultiClass(NAMES), torch.uint8),
    (MultiClass(("background", *map(str, range(300)))), torch.int16),
    (MultiLabel(NAMES[1:]), torch.uint8),
])  # fmt: skip
def test_classes_are_decided_plane_by_plane_as_all_at_once(target, dtype):
    pipeline = Pipeline((ResampleTo((2.0, 2.0, 2.0)),))
    affine = np.diag([1.5, 1.0, 1.25, 1.0])
    image = Volume(np.random.default_rng(0).random((1, 9, 12, 10)).astype(np.float32), (1.5, 1.0, 1.25), affine)
    processed, trace = pipeline.apply(Sample((image,)))
    logits = torch.randn(1, target.channels, *processed.images[0].grid, generator=torch.manual_seed(0)) * 3
    probabilities = target.probabilities(logits)[0]
    codes = native_codes(probabilities, trace, pipeline, target)
    native = pipeline.invert(Volume(probabilities.numpy(), (1.0, 1.0, 1.0)), trace).array
    assert codes.dtype == dtype
    assert torch.equal(codes.long(), target.decide(torch.from_numpy(native)[None])[0])


def test_large_probabilities_wait_on_the_disk(monkeypatch):
    assert room.probability_room((1, 2, 3)).dtype == torch.float32
    monkeypatch.setattr(room, "MOST_IN_MEMORY", 100)
    found = room.probability_room((1, 4, 8, 8))
    found[0, 3] = 0.25
    assert found.dtype == torch.float16
    assert float(found[0, 3].mean()) == 0.25


def test_a_full_disk_is_an_error_and_not_the_end(monkeypatch):
    monkeypatch.setattr(room, "MOST_IN_MEMORY", 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            room.probability_room((1, 4, 64, 64))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
