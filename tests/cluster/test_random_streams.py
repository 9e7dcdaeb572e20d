import random
from io import BytesIO

import numpy as np
import torch

from lit_medseg.cluster.random_streams import random_streams, set_random_streams


def draw():
    # an odd number of normal ones: the legacy generator keeps the second of a pair
    legacy = np.random.standard_normal(3)  # noqa: NPY002
    return random.random(), random.gauss(0, 1), legacy.tolist(), torch.rand(3).tolist(), torch.randn(3).tolist()


def test_the_streams_go_on_where_they_stood(monkeypatch):
    before = random_streams()
    try:
        draw()
        kept = BytesIO()
        torch.save(random_streams(), kept)
        first = draw()
        draw()
        kept.seek(0)
        set_random_streams(torch.load(kept, weights_only=True))
        assert draw() == first
    finally:
        set_random_streams(before)
