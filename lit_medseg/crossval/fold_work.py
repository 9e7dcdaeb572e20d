"""What is still to be done for one fold, read off the disk: whoever comes later goes on where another ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lit_medseg.catalogue.split import Split
from lit_medseg.crossval.check_folds import FoldData
from lit_medseg.errors import DataError, SplitError, TrackingError, expected_got
from lit_medseg.metrics.case_table import read_case_table, write_case_table
from lit_medseg.tracking.run_folder import RunFolder

KEEPER = "lit_medseg.inference.post_process.mask_keeper.MaskKeeper"


@dataclass(frozen=True)
class Orders:
    """What the commands of all folds share.

    Attributes:
        configs: The YAMLs.
        words: The user's further arguments of `fit`.
        experiment: Name of the experiment.
        runs_dir: Folder of all run folders.
        tracking: The store's address, without its password; None where the children find it as this process does.
        name: The cross-validation's.
        parent_run: Its MLflow run.
    """

    configs: tuple[str, ...]
    words: tuple[str, ...]
    experiment: str
    runs_dir: Path
    tracking: str | None
    name: str
    parent_run: str

    @property
    def folder(self) -> Path:
        """The run folder of the cross-validation."""
        return self.runs_dir / self.experiment / self.name

    @property
    def where(self) -> list[str]:
        """The arguments that say where a command records."""
        return [] if self.tracking is None else ["--tracking", self.tracking]


class FoldWork:
    """Training and test of one fold.

    Attributes:
        data: The fold and its cases.
        run: The run folder of its `fit`.
        log: Where its commands write.
        table: The fold's per-case table, kept in the folder of the cross-validation.
    """

    def __init__(self, data: FoldData, orders: Orders, masks: bool = False, retest: bool = False) -> None:
        """Set up.

        Args:
            data: The fold and its cases.
            orders: What the commands share.
            masks: Whether the test keeps the predicted masks.
            retest: The fold is trained and was tested: test it again, with the post-processing that was chosen since.
        """
        self.data, self._orders, self._keeps, self._retest = data, orders, masks, retest
        self.run = RunFolder(orders.runs_dir / orders.experiment / f"{orders.name}-{data.fold.name}")
        folder = orders.folder / "folds"
        self.log = folder / f"{data.fold.name}.log"
        self.masks = folder / f"{data.fold.name}-masks"
        self.table = folder / f"{data.fold.name}{'-post-processed' if retest else ''}.csv"

    @property
    def title(self) -> str:
        """The fold's name, for people."""
        return self.data.fold.title

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that is tested: the best one, or the last where no validation has chosen."""
        folder = self.run.path / "checkpoints"
        return folder / ("best.ckpt" if (folder / "best.ckpt").is_file() else "last.ckpt")

    def is_busy(self) -> bool:
        """Tell whether another process works on the fold (a child of a parent that was killed, about to end)."""
        if not (self.run.path / "state.json").is_file():
            return False
        return self.run.is_busy(self.run.read())

    def next_command(self, devices: Sequence[int]) -> list[str] | None:
        """Give the next command.

        Args:
            devices: The GPUs that it gets; none leaves the choice to the YAML.

        Returns:
            The verb and its arguments; None where all is done.

        Raises:
            SplitError: It was trained on other sets, or other data, than those of the plan.
        """
        hardware = ["--trainer.accelerator", "gpu", "--trainer.devices", str(len(devices))] if devices else []
        if self.table.is_file():
            return None
        if self._is_trained():
            self._check_trained()
            return [*self._test(), *hardware]
        return [*self._fit(), *hardware]

    def accept(self, verb: str) -> str:
        """Look at what a command has left, and keep the table of a test.

        Args:
            verb: `fit` or `test`.

        Returns:
            What was found, in a few words; empty for a training.

        Raises:
            DataError: Other cases were tested, or none.
            TrackingError: The run is not finished.
        """
        if verb == "fit":
            if not self._is_trained():
                todo = "Look at its log"
                status = self.run.read().status
                raise TrackingError(expected_got(self.title, "the run did not finish", "FINISHED", status, todo))
            return ""
        rows = read_case_table(self.run.path / "cases" / "test.csv")
        self._check_tested(rows)
        write_case_table(rows, self.table)
        if "dice" in rows:
            return f"dice {rows['dice'].mean():.4f}"
        return f"accuracy {(rows['label'] == rows['prediction']).mean():.4f}"

    def read_table(self) -> pd.DataFrame:
        """Read the table that `accept` kept."""
        rows = read_case_table(self.table)
        self._check_tested(rows)
        return rows

    def _is_trained(self) -> bool:
        return (self.run.path / "state.json").is_file() and self.run.read().status == "FINISHED"

    def _fit(self) -> list[str]:
        orders, fold = self._orders, self.data.fold
        splitter = fold.splitter_plain()
        key = "data.init_args.splitter"
        drawn = [f"--{key}", splitter["class_path"]]
        for name, value in splitter["init_args"].items():
            drawn += [] if value is None else [f"--{key}.init_args.{name}", str(value)]
        tags = {"verb": "fit", "crossval": orders.name, **fold.tags}
        return [
            "fit",
            *(word for config in orders.configs for word in ("--config", config)),
            *orders.words,
            *drawn,
            *("--experiment", orders.experiment, "--run", self.run.name, "--runs_dir", str(orders.runs_dir)),
            *("--parent_run", orders.parent_run, "--tags", json.dumps(tags)),
            *orders.where,
        ]

    def _test(self) -> list[str]:
        keeper = ["--trainer.callbacks+", KEEPER, "--trainer.callbacks.folder", str(self.masks)] if self._keeps else []
        return ["test", "--ckpt_path", str(self.checkpoint), *self._orders.where, *keeper]

    def _check_trained(self) -> None:
        """Refuse a run on other sets, or on other data, than those of the plan: its scores would not be honest."""
        split = Split.from_json(self.run.path / "split.json")
        if split.split_hash != self.data.split.split_hash:
            strange = sorted({*split.train, *split.val} & {*self.data.split.test})
            got = f"{split.split_hash[:12]}" + (f" with test cases {strange[:10]} in training" if strange else "")
            todo = "Move its run folder away, and start again"
            expected = self.data.split.split_hash[:12]
            raise SplitError(expected_got(self.title, "trained on other sets than planned", expected, got, todo))
        used = json.loads((self.run.path / "manifest.json").read_text(encoding="utf-8"))["data_hash"]
        if used != self.data.data_hash:
            todo = "The data have changed meanwhile: start a new cross-validation (another --name)"
            what = "trained on other data than planned"
            raise SplitError(expected_got(self.title, what, self.data.data_hash[:12], used[:12], todo))

    def _check_tested(self, rows: pd.DataFrame) -> None:
        tested = set() if rows.empty else set(rows["case_id"])
        if tested != {*self.data.split.test}:
            wrong = sorted(tested ^ {*self.data.split.test})
            todo = f"Remove {self.table.name}, and start again"
            what = "the table has other cases than the fold tests"
            raise DataError(expected_got(self.title, what, f"{len(self.data.split.test)} cases", wrong[:10], todo))
