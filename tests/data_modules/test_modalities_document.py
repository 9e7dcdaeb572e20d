"""docs/modalities.md: every YAML in it is taken by the command line, and its tables say what the code does."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from data_modules.ct import CTDataModule
from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.preprocess.step import Step

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "modalities.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("class_path: ")[1].split("\n")[0])
def test_a_block_is_parsed(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = yaml.safe_load((ROOT / "experiments" / "quickstart.yaml").read_text()) | yaml.safe_load(block)
    (tmp_path / "block.yaml").write_text(yaml.safe_dump(whole))
    cli = ExperimentCLI(["fit", "--config", "block.yaml"])
    module = cli.build("data")
    asked = whole["data"]["init_args"].get("training", {}).get("augmentation")
    assert f"{type(module).__module__}.{type(module).__name__}" == whole["data"]["class_path"]
    assert isinstance(
        module.training.augmentation, {dict: BatchAugmentation, list: list, type(None): type(None)}[type(asked)]
    )
    assert all(
        isinstance(step, Step) for step in [module.preparation.normalize, *(module.preparation.steps or [])] if step
    )


def test_there_are_blocks():
    assert len(BLOCKS) >= 5


def test_the_table_names_every_modality():
    named = set(re.findall(r"\| `(data_modules\.\w+\.\w+)` \|", TEXT))
    for path in named:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
    files = {f"data_modules.{file.stem}" for file in (ROOT / "data_modules").glob("[a-z]*.py")}
    assert files == {path.rpartition(".")[0] for path in named}


def test_the_windows_are_those_of_the_class():
    rows = {tuple(re.findall(r"[^|\s][^|]*[^|\s]", line)) for line in TEXT.splitlines()}
    for line in CTDataModule.__doc__.splitlines():
        if re.match(r"\s*\| (brain|lung|mediastinum|abdomen|liver|bone) ", line):
            assert tuple(re.findall(r"[^|\s][^|]*[^|\s]", line)) in rows
