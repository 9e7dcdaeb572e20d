"""The command line of `crossval`."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.cluster.count_gpus import count_gpus
from lit_medseg.commands.data_settings import DataSettings, lay_over, read_data_settings
from lit_medseg.crossval.plan import CrossvalPlan, plain_splitter
from lit_medseg.errors import ConfigError, expected_got

_OURS = ("--run", "--resume", "--ckpt_path", "--parent_run", "--parent_pid", "--tags", "--trainer.fast_dev_run")
_SPLITTER = "--data.init_args.splitter"
_CASES = tuple(f"--data.init_args.{name}" for name in ("source", "truth", "trust"))
_PLACES = ("runs_dir", "tracking", "experiment", "checkpoint_minutes", "keep_checkpoints", "trainer.accelerator",
           "trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.plugins", "trainer.logger",
           "trainer.callbacks", "trainer.profiler", "trainer.log_every_n_steps", "trainer.enable_progress_bar",
           "trainer.enable_model_summary", "trainer.default_root_dir", "data.init_args.loading.workers",
           "data.init_args.loading.prefetch", "data.init_args.preparation.cache_dir",
           "data.init_args.source.init_args.root", "data.init_args.splitter")  # fmt: skip
"""Keys that say where and on what a fold is computed, not what: they may change between two calls."""


@dataclass(frozen=True)
class CrossvalSettings:
    """What the user asks for.

    Attributes:
        configs: The YAMLs.
        words: Further arguments of `fit`.
        data: What the YAMLs say of the cases.
        plan: How the folds are drawn.
        name: Of the cross-validation; None for one made from all that it computes.
        experiment: Name of the experiment.
        runs_dir: Folder of all run folders.
        tracking: The store's address, where the command line or the YAML has one.
        workers: How many children run at once.
        devices: GPUs to use.
        devices_per_fold: GPUs of one child.
        ensemble: Whether an ensemble of the folds is written.
        choose_post_processing: Whether each fold's post-processing is chosen on the others.
        computed: Nested: all that the results depend on.
    """

    configs: tuple[str, ...]
    words: tuple[str, ...]
    data: DataSettings
    plan: CrossvalPlan
    name: str | None
    experiment: str
    runs_dir: Path
    tracking: str | None
    workers: int | None
    devices: tuple[int, ...] | None
    devices_per_fold: int
    ensemble: bool
    choose_post_processing: bool
    computed: Mapping[str, Any]

    def hash_with(self, data_hash: str) -> str:
        """Hash all that the results depend on, the data included."""
        plain = json.dumps([self.computed, data_hash], sort_keys=True, default=str)
        return sha256(plain.encode()).hexdigest()


def read_settings(argv: Sequence[str]) -> CrossvalSettings:
    """Read the command line and the YAMLs.

    Args:
        argv: The arguments after the verb.

    Raises:
        ConfigError: An argument that cannot be used.
    """
    plain, rest = _parser().parse_known_args(argv)
    words = _checked_words(rest)
    data = read_data_settings(plain.config, _of_cases(words))
    settings = merged_yamls(plain.config)
    if plain.choose_post_processing:
        _check_choosing(settings, data)
    plan = _plan(plain, data)
    return CrossvalSettings(
        configs=tuple(plain.config),
        words=tuple(words),
        data=data,
        plan=plan,
        name=plain.name,
        experiment=plain.experiment or settings.get("experiment") or Path(plain.config[-1]).stem,
        runs_dir=Path(plain.runs_dir or settings.get("runs_dir") or "runs"),
        tracking=plain.tracking or settings.get("tracking"),
        workers=plain.workers,
        devices=_devices(plain.devices),
        devices_per_fold=plain.devices_per_fold,
        ensemble=plain.ensemble,
        choose_post_processing=plain.choose_post_processing,
        computed=_computed(settings, words, plan, plain.choose_post_processing),
    )


def _plan(plain: argparse.Namespace, data: DataSettings) -> CrossvalPlan:
    """Take what the command line leaves out from the YAML's own splitter, where it has such a value."""
    own = vars(data.splitter)
    shares = own if "folds" in own else {}  # another splitter's `val` is a share of something else
    chosen: dict[str, Any] = {
        "val": shares.get("val", 0.15) if plain.val is None else plain.val,
        "seed": own.get("seed", 0) if plain.seed is None else plain.seed,
        "stratify": own.get("stratify") if plain.stratify is None else plain.stratify,
    }
    return CrossvalPlan(folds=plain.folds, nested=plain.nested, **chosen)


def _check_choosing(settings: Mapping[str, Any], data: DataSettings) -> None:
    """Refuse to choose post-processing where there is none to choose, or where the YAML has chosen."""
    where = "--choose_post_processing"
    if data.truth.masks is None:
        todo = "Leave it out: labels have no masks to change"
        raise ConfigError(expected_got(where, "not a segmentation", "truth.masks", "truth.labels", todo))
    level: Any = settings
    for key in ("model", "init_args", "evaluating", "post_processing"):
        level = level.get(key) if isinstance(level, dict) else None
    if level is not None:
        todo = "Take model.init_args.evaluating.post_processing out of the YAML, or leave this out"
        raise ConfigError(expected_got(where, "the YAML has post-processing of its own", "none", level, todo))


def _checked_words(words: list[str]) -> list[str]:
    """Refuse arguments of `fit` that are the cross-validation's business."""
    for word in words:
        key = word.split("=", 1)[0]
        if key in _OURS:
            todo = "Leave it out; --name names the cross-validation"
            raise ConfigError(expected_got(key, "each fold has its own", "no such argument", word, todo))
        if key == _SPLITTER or key.startswith(f"{_SPLITTER}."):
            todo = "Leave it out; use --folds, --val, --seed and --stratify"
            raise ConfigError(expected_got(key, "the folds take the splitter's place", "no such argument", word, todo))
    if words and not words[0].startswith("-"):
        todo = "Give the YAML by --config"
        raise ConfigError(expected_got("command line", "an argument without a key", "--KEY VALUE", words[0], todo))
    return words


def _of_cases(words: Sequence[str]) -> list[str]:
    """Find the arguments that say which cases there are."""
    found: list[str] = []
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith(_CASES):
            found += [word] if "=" in word else [word, after]
    return found


def merged_yamls(files: Sequence[str]) -> dict[str, Any]:
    """Lay the YAMLs over each other; a part that names another file is read from it.

    Args:
        files: YAMLs; later ones win.
    """
    merged: dict[str, Any] = {}
    for file in map(Path, files):
        plain = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for key, value in plain.items():
            part = file.parent / value if isinstance(value, str) and value.endswith((".yaml", ".yml")) else None
            if part is not None and part.is_file():
                plain[key] = yaml.safe_load(part.read_text(encoding="utf-8"))
        merged = lay_over(merged, plain)
    return merged


def _computed(settings: Mapping[str, Any], words: Sequence[str], plan: CrossvalPlan, choose: bool) -> dict[str, Any]:
    """Give all that the results depend on, but where they are computed."""
    given: dict[str, Any] = {}
    for word, after in zip_longest(words, words[1:], fillvalue="--"):
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            given[key] = value if equals else ("" if after.startswith("--") else after)
    kept = {key: value for key, value in given.items() if not key.startswith(_PLACES)}
    own = json.loads(json.dumps(settings, default=str))
    for path in _PLACES:
        *parents, last = path.split(".")
        level: Any = own
        for parent in parents:
            level = level.get(parent) if isinstance(level, dict) else None
        if isinstance(level, dict):
            level.pop(last, None)
    return {"crossval": {**plan.plain(), "choose_post_processing": choose}, "config": own, "arguments": kept}


def _devices(text: str | None) -> tuple[int, ...] | None:
    """Read a list of GPUs; `all` are those that this process sees.

    Raises:
        ConfigError: It is none.
    """
    if text is None:
        return None
    if text == "all":
        return tuple(range(count_gpus() or 0))
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            expected_got("--devices", "no list of GPUs", "0,1,2 or all", repr(text), "Mend it")
        ) from error


def shown_splitter(data: DataSettings) -> str:
    """Name the YAML's splitter, which the folds replace."""
    return str(plain_splitter(data.splitter)["class_path"]).rpartition(".")[2]


class _Parser(argparse.ArgumentParser):
    """Reports faults as the other commands do."""

    def error(self, message: str) -> Any:
        """Raise in place of printing the usage.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"command line: {message}, expected what `crossval --help` lists. Mend it.")


def _yes(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() == "true"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m lit_medseg crossval",
        description="Cross-validate an experiment: one fit and test a fold. Other arguments go to every fit.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("--config", "-c", action="append", required=True, metavar="YAML", help="the experiment; later ones win")
    add("--folds", type=int, default=5, metavar="N", help="number of folds (default: 5)")
    add("--val", type=float, metavar="SHARE", help="of the other cases, for validation (default: 0.15)")
    add("--seed", type=int, metavar="N", help="of the drawing (default: the splitter's, else 0)")
    add("--stratify", metavar="COLUMN", help="balance this column (default: the splitter's, else the classes)")
    add("--nested", type=int, metavar="N", help="also this many inner folds within each fold's training part")
    add("--workers", type=int, metavar="N", help="folds at once (default: 1, or one a group of devices)")
    add("--devices", metavar="0,1,...", help="GPUs to use, or `all`; default: each fold takes the YAML's")
    add(
        "--devices-per-fold", "--devices_per_fold", type=int, default=1, metavar="N", help="GPUs of a fold (default: 1)"
    )
    add("--name", metavar="NAME", help="of the cross-validation (default: made from all that it computes)")
    add("--ensemble", type=_yes, default=False, metavar="true", help="write an ensemble of the folds")
    text = "choose each fold's post-processing on the other folds, the ensemble's on all"
    add("--choose_post_processing", type=_yes, default=False, metavar="true", help=text)
    add("--experiment", metavar="NAME", help="default: the last YAML's name")
    add("--runs_dir", metavar="FOLDER", help="of all run folders (default: runs)")
    add("--tracking", metavar="URI", help="MLflow address; default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db")
    return parser
