"""Whole images window by window, against MONAI's sliding window and against slow, plain sums."""

import math

import pytest
import torch
from monai.inferers import sliding_window_inference
from torch import nn

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.inference.sliding_window import SlidingWindow
from lit_medseg.target import Binary, MultiClass, MultiLabel

GRIDS = [
    ((29, 37, 23), (16, 16, 16), 0.5),
    ((40, 21, 33), (12, 16, 9), 0.25),
    ((20, 20, 50), (20, 20, 11), 0.7),
    ((16, 16, 16), (16, 16, 16), 0.5),
    ((31, 64), (16, 24), 0.5),
    ((13, 9), (4, 5), 0.0),
]


def _network(channels, dimensions, scale=4.0):
    torch.manual_seed(1)
    kind = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
    network = kind(2, channels, 3, padding=1)
    for weight in network.parameters():
        weight.data *= scale
    return network.eval()


def _target(coding, channels):
    return coding(tuple(f"c{number}" for number in range(2 if coding is Binary else channels)))


def _monai(image, patch, overlap, network, **settings):
    with torch.no_grad():
        return sliding_window_inference(image, patch, 1, network, overlap=overlap, mode="gaussian", **settings)


@pytest.mark.parametrize(("grid", "patch", "overlap"), GRIDS)
@pytest.mark.parametrize("batch", [1, 3])
def test_logits_equal_monais(grid, patch, overlap, batch):
    image = torch.randn(2, 2, *grid)
    network = _network(5, len(grid))
    ours = SlidingWindow(patch, overlap, window_batch=batch)(image, network)
    torch.testing.assert_close(ours, _monai(image, patch, overlap, network), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("coding", "channels"), [(Binary, 1), (MultiClass, 6), (MultiLabel, 3)])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("grid", "patch", "overlap"), GRIDS[:3] + GRIDS[4:])
def test_labels_equal_monais(coding, channels, half, grid, patch, overlap):
    image = torch.randn(2, 2, *grid)
    network, target = _network(channels, len(grid)), _target(coding, channels)
    logits = _monai(image, patch, overlap, network)
    probabilities = target.probabilities(logits)
    expected = target.decide(probabilities)
    labels = SlidingWindow(patch, overlap, half=half).labels(image, network, target)
    assert labels.dtype == torch.uint8
    assert labels.shape == expected.shape
    decided = _gap(probabilities, target) > (1e-2 if half else 1e-6)
    assert torch.equal(labels.long()[decided], expected[decided])
    assert (labels == expected).float().mean() > 0.99


def _gap(probabilities, target):
    """Difference of the two best probabilities; of a sigmoid: to that of absence."""
    if isinstance(target, MultiClass):
        best = probabilities.topk(2, dim=1).values
        return best[:, 0] - best[:, 1]
    gap = (2 * probabilities - 1).abs()
    return gap[:, 0] if isinstance(target, Binary) else gap


@pytest.mark.parametrize("size", [1.0, 60.0, 5000.0])
def test_half_keeps_decided_labels_where_windows_disagree_violently(size):
    """Each window has its own opinion of everything, so that sums are differences of large numbers."""
    grid, patch = (40, 24, 24), (16, 16, 16)
    opinions = torch.Generator().manual_seed(3)

    def network(windows):
        return size * (torch.rand(len(windows), 4, *patch, generator=opinions) - 0.5)

    image, target = torch.zeros(1, 1, *grid), MultiClass(("a", "b", "c", "d"))
    exact = SlidingWindow(patch)(image, network)
    opinions.manual_seed(3)
    labels = SlidingWindow(patch, half=True).labels(image, network, target)
    probabilities = exact.softmax(1)
    decided = _gap(probabilities, target) > 1e-2
    if size <= 120:
        assert torch.equal(labels.long()[decided], exact.argmax(1)[decided])
    assert (labels.long()[decided] == exact.argmax(1)[decided]).float().mean() > 0.999


def test_probabilities_go_where_they_are_asked_for():
    image, network, target = torch.randn(1, 2, 20, 33), _network(3, 2), MultiClass(("a", "b", "c"))
    window = SlidingWindow((8, 16))
    expected = target.probabilities(_monai(image, (8, 16), 0.5, network))
    torch.testing.assert_close(window.probabilities(image, network, target), expected, rtol=1e-5, atol=1e-5)
    out = torch.empty(1, 3, 20, 33, dtype=torch.float16)
    assert window.probabilities(image, network, target, out) is out
    torch.testing.assert_close(out.float(), expected, rtol=1e-3, atol=1e-3)
    half = SlidingWindow((8, 16), half=True).probabilities(image, network, target)
    torch.testing.assert_close(half, expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize("grid", [(5, 30, 9), (3, 2, 1), (16, 7, 40)])
def test_images_smaller_than_a_window(grid):
    image, network = torch.randn(1, 2, *grid), _network(3, 3)
    zeros = SlidingWindow((16, 16, 16))(image, network)
    torch.testing.assert_close(zeros, _monai(image, (16, 16, 16), 0.5, network), rtol=1e-5, atol=1e-5)
    assert SlidingWindow((16, 16, 16), padding="reflect")(image, network).shape == (1, 3, *grid)


def test_reflection_continues_the_texture():
    seen = []
    window = SlidingWindow((1, 8), padding="reflect")
    window(torch.arange(5.0)[None, None, None], lambda windows: seen.append(windows) or windows)
    assert seen[0].flatten().tolist() == [1, 0, 1, 2, 3, 4, 3, 2]


@pytest.mark.parametrize("axes", [(0,), (0, 2), (0, 1, 2)])
def test_mirroring_averages_over_every_combination(axes):
    image, network = torch.randn(1, 2, 8, 10, 12), _network(3, 3)
    chosen = [[]]
    for axis in axes:
        chosen += [[*some, axis + 2] for some in chosen]
    with torch.no_grad():
        expected = torch.stack([network(image.flip(some)).flip(some) for some in chosen]).mean(0)
    torch.testing.assert_close(SlidingWindow((8, 10, 12), mirror_axes=axes)(image, network), expected)


def test_slabs_cover_each_image_once():
    image, network = torch.randn(2, 2, 13, 50, 11), _network(2, 3)
    count = torch.zeros(2, 13, 50, 11)
    for slab in SlidingWindow((8, 8, 8)).slabs(image, network):
        assert slab.logits.shape[1:] == count[(slab.case, *slab.box)].shape
        count[(slab.case, *slab.box)] += 1
    assert (count == 1).all()


def test_only_one_layer_is_kept_and_it_leaves_early():
    """When the last window begins, all but its layer has left."""
    image, told = torch.zeros(1, 1, 8, 64, 8), []
    for slab in SlidingWindow((8, 8, 8)).slabs(image, lambda x: x, progress=lambda done, total: told.append(done)):
        assert slab.box[1].start + 8 >= 4 * (told[-1] - 2)
    assert told == list(range(1, 16))


def test_observers_see_every_window_in_the_images_own_grid():
    image, network = torch.randn(2, 2, 5, 30, 12), _network(2, 3)
    boxes, told = [], []

    def observe(logits, case, box):
        assert logits.shape == (1, 2, *(part.stop - part.start for part in box))
        assert image[(case, slice(None), *box)].shape[1:] == logits.shape[2:]
        boxes.append((case, box))

    SlidingWindow((8, 16, 8)).labels(
        image, network, MultiClass(("a", "b")), observe, lambda done, total: told.append((done, total))
    )
    assert len(boxes) == 2 * 3 * 2
    assert told == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("x"), RuntimeError("can't allocate memory: 9 bytes")])
def test_the_batch_is_halved_when_memory_runs_out(error):
    tried = []

    def network(windows):
        tried.append(len(windows))
        if len(windows) > 2:
            raise error
        return windows.repeat(1, 2, 1, 1)

    image = torch.randn(1, 1, 40, 8)
    logits = SlidingWindow((8, 8), window_batch=8)(image, network)
    torch.testing.assert_close(logits, image.repeat(1, 2, 1, 1))
    assert tried == [1, 8, 4, 2, 2, 2, 2]


def test_other_errors_and_a_lone_window_that_is_too_large_are_raised():
    for error in (RuntimeError("shapes differ"), torch.OutOfMemoryError("x")):

        def network(windows, error=error):
            raise error

        with pytest.raises(RuntimeError, match=str(error)):
            SlidingWindow((8, 8))(torch.zeros(1, 1, 8, 16), network)


def test_a_memory_limit_chooses_16_bits_fewer_windows_or_refuses(caplog):
    image, target = torch.randn(1, 2, 20, 64, 20), MultiClass(tuple("abcdefghij"))
    network = _network(10, 3)
    sizes = []

    def counted(windows):
        sizes.append(len(windows))
        return network(windows)

    layer, window, chunk = 10 * 20 * 8 * 20, 4 * 10 * 8**3, 32 * 2**20
    free = SlidingWindow((8, 8, 8), window_batch=50).labels(image, counted, target)
    assert max(sizes) == 50
    sizes.clear()
    limit = (2 * layer + chunk + 2.5 * window) / 2**30
    tight = SlidingWindow((8, 8, 8), window_batch=50, memory_limit_gib=limit, half=None).labels(image, counted, target)
    assert max(sizes) == 2
    assert "16 bits" in caplog.text
    assert (free == tight).float().mean() > 0.99
    with pytest.raises(ConfigError, match=r"too little memory, expected at least 0.031 GiB, got 0.031 GiB.*half: true"):
        SlidingWindow((8, 8, 8), memory_limit_gib=limit, half=False).labels(image, network, target)


def test_bfloat16_and_levels_of_deep_supervision():
    image, network = torch.randn(1, 2, 20, 8), _network(3, 2)
    window = SlidingWindow((8, 8))
    expected = window(image, network)
    levels = window(image, lambda x: [network(x), network(x)[..., ::2, ::2]])
    torch.testing.assert_close(levels, expected)
    with torch.autocast("cpu", torch.bfloat16):
        half = window(image, network)
    assert half.dtype == torch.float32
    assert (half - expected).abs().max() < 0.05 * expected.abs().max()


def test_gradients_are_not_kept_and_the_image_stays():
    image = torch.randn(1, 2, 16, 16)
    before = image.clone()
    logits = SlidingWindow((8, 8), mirror_axes=(0,), half=True)(image, lambda x: x)
    assert not logits.requires_grad
    assert not SlidingWindow((8, 8))(image, _network(2, 2)).requires_grad
    assert torch.equal(image, before)


def test_many_classes_need_wider_codes():
    names = tuple(str(number) for number in range(300))
    image = torch.full((1, 1, 4, 4), 299.0)
    ramp = torch.arange(300.0)[None, :, None, None]
    labels = SlidingWindow((4, 4)).labels(image, lambda x: -((x - ramp) ** 2), MultiClass(names))
    assert labels.dtype == torch.int16
    assert (labels == 299).all()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"patch_size": ()}, "patch_size"),
        ({"patch_size": (0, 4)}, "patch_size"),
        ({"patch_size": (4, 4), "overlap": 1.0}, "overlap"),
        ({"patch_size": (4, 4), "mirror_axes": (2,)}, "mirror_axes"),
        ({"patch_size": (4, 4), "window_batch": 0}, "window_batch"),
        ({"patch_size": (4, 4), "memory_limit_gib": -1.0}, "memory_limit_gib"),
    ],
)
def test_unusable_settings_are_named(settings, text):
    with pytest.raises(ConfigError, match=f"sliding window: {text}: unusable"):
        SlidingWindow(**settings)


def test_what_does_not_fit_is_said():
    with pytest.raises(ConfigError, match="other axes, expected 2, got 3"):
        SlidingWindow((8, 8))(torch.zeros(1, 1, 8, 8, 8), lambda x: x)
    with pytest.raises(ConfigError, match=r"another grid, expected \(8, 8\), got \(4, 8\)"):
        SlidingWindow((8, 8))(torch.zeros(1, 1, 8, 8), lambda x: x[:, :, ::2])
    with pytest.raises(DataError, match="unusable logits, expected finite numbers, got nan"):
        SlidingWindow((8, 8), half=True)(torch.zeros(1, 1, 8, 8), lambda x: x * math.nan)


@pytest.mark.parametrize("device", ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
@pytest.mark.parametrize("half", [False, True])
def test_a_device_gives_the_same_labels_for_images_that_stay_behind(half, device):
    image, target = torch.randn(1, 2, 29, 60, 23), MultiClass(tuple("abcde"))
    network = _network(5, 3)
    expected = SlidingWindow((16, 16, 16))(image, network).softmax(1)
    decided = _gap(expected, target) > (1e-2 if half else 1e-3)
    network.to(device)
    for place, sums in (("cpu", None), (device, None), (device, "cpu")):
        labels = SlidingWindow((16, 16, 16), half=half, sum_device=sums).labels(image.to(place), network, target)
        assert labels.device.type == (sums or place)
        assert torch.equal(labels.cpu().long()[decided], expected.argmax(1)[decided])
