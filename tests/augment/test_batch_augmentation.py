import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.bias_field import BiasField
from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.gamma import Gamma
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.augment.scaling import Scaling

QUIET = BatchAugmentation(Rotation(0), Scaling(0), mirror=Mirror(0), intensity=[])


def rng(seed=0):
    return np.random.default_rng(seed)


def box_of(plan, channels=1, seed=0):
    start, stop = plan.geometry.box([0] * len(plan.geometry.size))
    shape = [last - first for first, last in zip(start, stop, strict=True)]
    generator = rng(seed)
    image = torch.from_numpy(generator.standard_normal((channels, *shape)).astype(np.float32))
    mask = torch.from_numpy(generator.integers(0, 3, (1, *shape)).astype(np.uint8))
    return image, mask, plan.geometry.offset([0] * len(shape))


def test_defaults_come_as_often_as_nnunets():
    # nnU-Net 2.8.1: rotation and scaling 0.2 each, then the seven changes of intensity.
    plans = [BatchAugmentation().plan(rng(seed), (6, 6, 6), 1, (1, 1, 1)) for seed in range(4000)]
    resampled = np.mean([not plan.geometry.exact for plan in plans])
    assert resampled == pytest.approx(1 - 0.8 * 0.8, abs=0.03)
    names = [change.func.__qualname__ for plan in plans for change in plan.changes]
    shares = {
        "add_noise": 0.1,
        "blur_channels": 0.2,
        "Brightness.change": 0.15,
        "Contrast.change": 0.15,
        "coarsen": 0.25,
    }
    for name, share in {**shares, "bend_response": 0.4}.items():
        assert names.count(name) / 4000 == pytest.approx(share, abs=0.03)
    inverted = [c.keywords["inverted"] for plan in plans for c in plan.changes if c.func.__name__ == "bend_response"]
    assert np.mean(inverted) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("size", [(9, 8), (7, 8, 9), (1, 9, 9)])
def test_nothing_is_the_exact_identity(size):
    plan = QUIET.plan(rng(), size, 2, (1.0,) * len(size))
    image, mask, offset = box_of(plan, 2)
    patch, codes = plan.carried_out(image.clone(), mask, offset)
    assert torch.equal(patch, image)
    assert torch.equal(codes, mask)


@pytest.mark.parametrize(("size", "channels"), [((24, 20), 3), ((12, 15, 11), 1), ((1, 16, 16), 5)])
def test_a_plan_is_a_function_of_its_generator(size, channels):
    everything = BatchAugmentation(
        Rotation(1.0), Scaling(1.0), elastic=Elastic(1.0, 8.0, (0, 3)), intensity=[Gamma(1.0), BiasField(1.0)]
    )
    for augmentation in (BatchAugmentation(), everything):
        for seed in range(10):
            found = []
            for _ in range(2):
                plan = augmentation.plan(rng(seed), size, channels, (1.0,) * len(size))
                image, mask, offset = box_of(plan, channels)
                found.append(plan.carried_out(image, mask, offset))
            assert found[0][0].shape == (channels, *size)
            assert found[0][1].shape == (1, *size)
            assert found[0][0].isfinite().all()
            assert torch.equal(found[0][0], found[1][0])
            assert torch.equal(found[0][1], found[1][1])


def test_coarse_axes_are_not_mixed():
    augmentation = BatchAugmentation(Rotation(1.0), Scaling(0), elastic=Elastic(1.0, 20, (1, 3)), intensity=[])
    plan = augmentation.plan(rng(), (4, 12, 12), 1, (6.0, 1.0, 1.0))
    start, stop = plan.geometry.box((0, 0, 0))
    assert (start[0], stop[0]) in {(0, 5), (-1, 5)}  # one slice more for rounding, none mixed
    image = torch.zeros(1, *(last - first for first, last in zip(start, stop, strict=True)))
    image[:] = torch.arange(image.shape[1])[:, None, None]
    patch, _ = plan.carried_out(image, None, plan.geometry.offset((0, 0, 0)))
    assert torch.equal(patch, patch.round())


def test_yaml_names_it():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--augmentation", type=BatchAugmentation | None)
    spec = {
        "class_path": "lit_medseg.augment.batch_augmentation.BatchAugmentation",
        "init_args": {
            "rotation": {"degrees": [-15, 15]},
            "mirror": {"axes": [2]},
            "intensity": [{"class_path": "lit_medseg.augment.gamma.Gamma", "init_args": {"inverted": True}}],
        },
    }
    made = parser.instantiate(parser.parse_object({"augmentation": spec})).augmentation
    assert made == BatchAugmentation(
        Rotation(degrees=(-15, 15)), mirror=Mirror(axes=(2,)), intensity=[Gamma(inverted=True)]
    )
    spec["init_args"] = {"rotate": {"probability": 1}}
    with pytest.raises(Exception, match="rotate"):
        parser.parse_object({"augmentation": spec})
