"""A training sample has the same bytes for any number of workers and ranks."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.loaders import Ranks, evaluation_loader, training_loader
from lit_medseg.data.loading import Loading
from lit_medseg.data.training import Training
from tests.data.fake_sets import FLIPS, classification, segmentation

# Three workers on a machine of two cores: torch advises against it, and this test wants it.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


def digest(image, truth):
    return hashlib.sha256(image.numpy().tobytes() + truth.numpy().tobytes()).hexdigest()


def samples(prepared, training, workers=0, world=1, epochs=(0, 1)):
    """Give the digests of every position of the epochs, the ranks' parts put together."""
    found = {}
    for rank in range(world):
        augmentation, loading = Augmentation(FLIPS), Loading(batch_size=6, workers=workers)
        loader = training_loader(prepared, training, augmentation, loading, Ranks(rank, world))
        for epoch in epochs:
            loader.batch_sampler.set_epoch(epoch)
            keys = list(loader.batch_sampler)
            for batch, batch_keys in zip(loader, keys, strict=True):
                truth = batch["mask"] if "mask" in batch else batch["label"]
                for number, key in enumerate(batch_keys):
                    found[key] = (batch["case_id"][number], digest(batch["image"][number], truth[number]))
    return found


@pytest.fixture(params=["segmentation", "classification"])
def task(request, tmp_path):
    if request.param == "segmentation":
        module, training = segmentation(tmp_path), Training(patch_size=[24, 24], foreground=0.5, seed=4)
    else:
        module, training = classification(tmp_path), Training(balanced=True, repeats=2, seed=4)
    module.prepare()
    return module._prepared, training


def test_workers_and_ranks_change_nothing(task):
    prepared, training = task
    expected = samples(prepared, training)
    assert len(expected) == len(set(expected.values()))
    for workers, world in ((1, 1), (3, 1), (0, 2), (0, 3), (1, 2)):
        assert samples(prepared, training, workers, world) == expected


def test_epoch_seed_and_threads(task):
    prepared, training = task
    expected = samples(prepared, training, epochs=(1,))
    assert samples(prepared, training, epochs=(0, 1)).items() >= expected.items()
    other = samples(prepared, Training(training.augmentation, training.patch_size, seed=5), epochs=(1,))
    assert not {digest for _, digest in other.values()} & {digest for _, digest in expected.values()}


def test_fresh_process_gives_the_same(tmp_path):
    """The dataset travels to a process that was not forked (macOS, Windows), small, without its mapping."""
    module = segmentation(tmp_path)
    module.prepare()
    training, loading = Training(patch_size=[24, 24]), Loading(batch_size=6, workers=0)
    loader = training_loader(module._prepared, training, Augmentation(FLIPS[:1]), loading, Ranks())
    dataset, key = loader.dataset, next(iter(loader.batch_sampler))[3]
    expected = dataset[key]["image"].numpy().tobytes()
    pickled = pickle.dumps((dataset, key))
    assert len(pickled) < 50_000
    (tmp_path / "pickled").write_bytes(pickled)
    code = (
        "import pathlib, pickle, sys; dataset, key = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()); "
        "sys.stdout.buffer.write(dataset[key]['image'].numpy().tobytes())"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path / "pickled")]
    assert subprocess.run(command, cwd=root, capture_output=True, check=True).stdout == expected


def evaluated(module, workers, world):
    """Give every evaluation batch of every rank by its first case."""
    found = {}
    for rank in range(world):
        loading = Loading(eval_batch_size=2, workers=workers)
        for batch in evaluation_loader(module._prepared, module.split.test, loading, Ranks(rank, world)):
            if batch["case_id"]:
                found[tuple(batch["case_id"])] = digest(batch["image"], batch["mask"])
    return found


def test_evaluation_batches_are_the_same_for_workers_and_ranks(tmp_path):
    module = segmentation(tmp_path, grids=((32, 40), (50, 44)))
    module.prepare()
    expected = evaluated(module, 0, 1)
    assert sorted(case_id for batch in expected for case_id in batch) == list(module.split.test)
    for workers, world in ((1, 1), (3, 1), (0, 2), (1, 3), (0, 9)):
        assert evaluated(module, workers, world) == expected
