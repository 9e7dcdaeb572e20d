"""What README.md, docs/experiments.md and docs/volumes.md tell a reader to write works as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import VERBS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPERIMENTS = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("experiments.md", "volumes.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICKSTART = str(ROOT / "experiments" / "quickstart.yaml")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_own_data(root):
    """Six patients, two slices each, named as in the README: a bright disc in noise, 255 in its mask."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    for patient in range(1, 7):
        for cut in range(2):
            mask = (rows - rng.integers(20, 44)) ** 2 + (columns - rng.integers(20, 44)) ** 2 < 100
            image = rng.integers(0, 60, (64, 64)) + 150 * mask
            for kind, array in (("images", image), ("masks", 255 * mask)):
                (root / kind).mkdir(parents=True, exist_ok=True)
                write_png(root / kind / f"p{patient:02d}_{cut}.png", array.astype(np.uint8)[None])


def test_the_yaml_for_ones_own_data_runs(folder):
    (yaml,) = blocks(README, "yaml")
    name = re.search(r"--config (experiments/\w+\.yaml)", yaml)[1]
    assert f"`{name}`:" in README
    write_own_data(folder / "my_data")
    (folder / "experiments").mkdir()
    (folder / name).write_text(yaml, encoding="utf-8")
    quick = ["--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu", "--data.init_args.loading.workers", "0"]
    assert main(["fit", "--config", name, *quick]) == 0
    assert ExperimentCLI(["test", "--config", name]).experiment == Path(name).stem


@pytest.mark.parametrize("block", blocks(EXPERIMENTS, "yaml"), ids=lambda block: block.split("\n")[2].strip()[:20])
def test_every_block_can_be_laid_over_the_quickstart(block, folder):
    Path("mine.yaml").write_text(block, encoding="utf-8")
    cli = ExperimentCLI(["fit", "--config", QUICKSTART, "--config", "mine.yaml"])
    cli.build("data")
    network = cli.settings.model.init_args.pop("network")  # built with the channels of the data, or from a checkpoint
    assert network.class_path
    assert cli.resolved()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_links_exist(page):
    text = page.read_text(encoding="utf-8")
    verbs = set(re.findall(r"-m lit_medseg ([a-z]+)", text))
    assert verbs <= set(VERBS)
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
