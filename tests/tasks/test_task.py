"""The tasks in Lightning's Trainer, against what numpy, torch and torchmetrics make of the same predictions."""

from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from monai.networks.nets import ViT
from torch import nn
from torch.nn.functional import interpolate
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_f1_score,
    binary_jaccard_index,
    binary_precision,
    binary_recall,
    binary_specificity,
)

from lit_medseg.data.loading import Loading
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.errors import ConfigError
from lit_medseg.imaging.read_array import read_mask
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.losses.dice import DiceLoss
from lit_medseg.losses.weighted_sum import WeightedSum
from lit_medseg.preprocess.resize import Resize
from lit_medseg.target import Binary, MultiClass
from lit_medseg.tasks.classification import ClassificationTask
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.segmentation import SegmentationTask
from tests.data.fake_sets import segmentation

TARGET = MultiClass(("background", "organ", "lesion"))
CODES = {128: 2, 255: 1}
REFERENCES = {
    "dice": binary_f1_score,
    "iou": binary_jaccard_index,
    "precision": binary_precision,
    "recall": binary_recall,
    "specificity": binary_specificity,
    "accuracy": binary_accuracy,
}
# Lightning's advice on workers, on the logging interval and on frozen parts; the command line leaves it out as well.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*' does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
    pytest.mark.filterwarnings("ignore:Found .* module.s. in eval mode:UserWarning"),
]


class Net(nn.Module):
    def __init__(self, norm=True):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8) if norm else nn.Identity())
        self.head = nn.Conv2d(8, 3, 1)

    def forward(self, image):
        return self.head(torch.tanh(3 * self.encoder(image)))


class Outputs(pl.Callback):
    """Keeps what the evaluation steps give."""

    def __init__(self):
        self.predictions = {}

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.predictions |= dict(zip(batch["case_id"], outputs["prediction"], strict=True))


def trainer(tmp_path, **values):
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    settings = {"accelerator": "cpu", "default_root_dir": tmp_path, "use_distributed_sampler": False, "max_epochs": 1}
    return pl.Trainer(**{**settings, **quiet, **values})


@pytest.fixture
def resized(tmp_path):
    """Pictures of two sizes that the network sees at a third one."""
    module = segmentation(
        tmp_path,
        grids=((32, 40), (50, 44)),
        preparation=Preparation(steps=[Resize(24, 20)], cache_dir=str(tmp_path / "cache")),
        training=Training(augmentation=[]),
        loading=Loading(batch_size=4, eval_batch_size=3, workers=0),
    )
    module.prepare()
    return module


def test_scores_are_exact_on_the_native_grid(resized, tmp_path):
    task, outputs = SegmentationTask(Net(), target=TARGET), Outputs()
    trainer(tmp_path, callbacks=[outputs]).test(task, resized, verbose=False)
    assert sorted(outputs.predictions) == sorted(resized.split.test)
    rows = task.evaluation.rows.set_index(["case_id", "class"])
    seen = {name: [] for name in REFERENCES}
    for case_id, prediction in outputs.predictions.items():
        mask = read_mask(tmp_path / "pairs" / "masks" / f"{case_id}.png")
        assert prediction.shape == mask.shape
        assert not prediction.dtype.is_floating_point
        for name, value in (("organ", 255), ("lesion", 128)):
            reference, found = torch.from_numpy(mask == value), (prediction == CODES[value])
            for score, function in REFERENCES.items():
                expected = float(function(found.int(), reference.int()))
                assert rows.loc[(case_id, name), score] == pytest.approx(expected, abs=1e-6)
                seen[score].append(expected)
    for score, values in seen.items():
        assert task.evaluation.scores[score] == pytest.approx(np.mean(values), abs=1e-6)
    assert 0 < np.mean(seen["dice"]) < 1


def test_class_is_decided_after_the_way_back(resized, tmp_path):
    """Of two ways, upsampled probabilities and upsampled masks, the predictions are the first."""
    task, outputs = SegmentationTask(Net(), target=TARGET), Outputs()
    trainer(tmp_path, callbacks=[outputs]).test(task, resized, verbose=False)
    task.eval()
    differs = 0
    for batch in resized.test_dataloader():
        with torch.no_grad():
            chances = task.evaluation_logits(batch["image"]).softmax(1)
        for number, case_id in enumerate(batch["case_id"]):
            found = outputs.predictions[case_id]
            grid = tuple(found.shape)
            own = interpolate(chances[number : number + 1], grid, mode="bilinear").argmax(1)[0]
            other = interpolate(chances[number : number + 1].argmax(1)[None].float(), grid, mode="nearest")[0, 0]
            assert (own == found).float().mean() > 0.999
            differs += int((other.long() != found).sum())
    assert differs > 50


def test_loss_is_the_mean_of_the_cases_and_the_sum_of_its_terms(resized, tmp_path):
    loss = WeightedSum(CrossEntropy(), DiceLoss(), alpha=0.25, beta=2.0)
    task = SegmentationTask(Net(norm=False), loss, partial(torch.optim.SGD, lr=0.0), target=TARGET)
    run = trainer(tmp_path)
    run.fit(task, resized)
    logged = run.callback_metrics
    assert logged["train/loss"] == pytest.approx(float(logged["train/loss/pixel"] + logged["train/loss/region"]))
    losses = {}
    for batch in resized.val_dataloader():
        with torch.no_grad():
            logits = task.evaluation_logits(batch["image"])
        for number, case_id in enumerate(batch["case_id"]):
            one = slice(number, number + 1)
            pixel = nn.functional.cross_entropy(logits[one], batch["mask"][one].long())
            region = DiceLoss()(logits[one], batch["mask"][one].long())
            losses[case_id] = float(0.25 * pixel + 2.0 * region)
    assert sorted(losses) == sorted(resized.split.val)
    assert float(logged["val/loss"]) == pytest.approx(np.mean(list(losses.values())), rel=1e-5)


@pytest.mark.parametrize("frozen", [[], ["encoder"]])
def test_frozen_part_keeps_weights_and_batch_statistics(frozen, resized, tmp_path):
    net = Net()
    task = SegmentationTask(
        net, optimizer=partial(torch.optim.SGD, lr=0.1), target=TARGET, fine_tuning=FineTuning(frozen=frozen)
    )
    net.train()  # as a check of the network leaves it
    before = {key: value.clone() for key, value in net.state_dict().items()}
    trainer(tmp_path, max_epochs=2).fit(task, resized)
    same = {key for key, value in net.state_dict().items() if torch.equal(value, before[key])}
    assert same == ({key for key in before if key.startswith("encoder.")} if frozen else set())


def test_frozen_part_stays_in_evaluation_mode():
    net = Net()
    task = SegmentationTask(net, target=TARGET, fine_tuning=FineTuning(frozen=["encoder"]))
    for mode in (True, False, True):
        task.train(mode)
        assert task.training == net.head.training == mode
        assert not any(module.training for module in net.encoder.modules())


@pytest.mark.parametrize(
    ("mode", "segmented", "classified"), [("min", "val/loss", "val/loss"), ("max", "val/dice", "val/auroc")]
)
def test_plateau_watches_what_its_mode_means(mode, segmented, classified, tmp_path):
    schedule = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, mode=mode)
    binary = Binary(("no", "yes"))
    for kind, target, monitor in ((SegmentationTask, TARGET, segmented), (ClassificationTask, binary, classified)):
        task = kind(Net(), lr_scheduler=schedule, target=target)
        task.trainer = trainer(tmp_path)
        assert task.configure_optimizers()["lr_scheduler"]["monitor"] == monitor


def test_optimizer_defaults_to_adamw():
    optimizer = SegmentationTask(Net(), target=TARGET).configure_optimizers()
    assert type(optimizer) is torch.optim.AdamW


def test_target_is_needed():
    with pytest.raises(ConfigError, match="The command line takes it from the data"):
        SegmentationTask(Net())


def test_rank_without_a_batch_has_nothing_to_say():
    task = SegmentationTask(Net(), target=TARGET)
    empty = {"case_id": []}
    assert task.validation_step(empty, 0) == {"prediction": [], "rows": []}
    assert task.predict_step(empty, 0) == {"prediction": []}


def test_a_classifier_may_give_its_inner_features_too():
    network = ViT(1, (16, 16, 16), (8, 8, 8), 24, 32, 1, 2, classification=True, num_classes=2)
    task = ClassificationTask(network, target=MultiClass(("a", "b")))
    assert isinstance(network(torch.zeros(2, 1, 16, 16, 16)), tuple)
    assert task.evaluation_logits(torch.zeros(2, 1, 16, 16, 16)).shape == (2, 2)
