"""The command line of fit, validate, test and predict, parsed and not yet built."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import ArgumentError, Namespace
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from typing_extensions import override

from lit_medseg.commands.arguments import ARGUMENTS, NOT_COMPUTED
from lit_medseg.commands.lost_words import refuse_empty_keys, refuse_null
from lit_medseg.commands.parse_faults import parse_fault
from lit_medseg.commands.short_lists import short_lists
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import ConfigError, MedSegError, expected_got
from lit_medseg.networks.ports import INPUT_NAMES, OUTPUT_NAMES
from lit_medseg.tasks.task import Task

_NOT_HASHED = (
    "config", "ckpt_path", *NOT_COMPUTED,
    "return_predictions", "verbose", "weights_only",
    "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.plugins",
    "trainer.logger", "trainer.callbacks", "trainer.profiler", "trainer.log_every_n_steps",
    "trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.default_root_dir",
    "trainer.fast_dev_run", "trainer.inference_mode",
    "data.init_args.loading.workers", "data.init_args.loading.prefetch", "data.init_args.preparation.cache_dir",
    "data.init_args.source.init_args.root", "data.init_args.predict_cases",
    "model.init_args.target", *(f"model.init_args.network.init_args.{name}" for name in (*INPUT_NAMES, *OUTPUT_NAMES)),
)  # fmt: skip
"""Keys that say where and on what a run happens, not what it computes, and those that follow from the data: they do not
name the run."""

_NETWORK = "model.init_args.network.init_args"
_INFERER = "model.init_args.evaluating.inferer"
_STAND_INS: dict[str, Any] = {
    **dict.fromkeys((*INPUT_NAMES, *OUTPUT_NAMES), 1),
    "spatial_dims": 3,
    "img_size": (32, 32, 32),
    "patch_size": (32, 32, 32),
}
"""Stand for the data's share of a network's arguments while the parser checks the rest."""
_FILLED = (
    *(
        f"{network}.{name}"
        for network in (_NETWORK, f"{_NETWORK}.network.init_args")
        for name in (*_STAND_INS, "spacing_mm", "encoder_weights")
    ),
    _INFERER,
    f"{_INFERER}.init_args.patch_size",
)
"""Keys that follow from the data where the user leaves them out: they do not name the run then."""
_VERBS = ("fit", "validate", "test", "predict")


class ExperimentCLI(LightningCLI):
    """LightningCLI that stops after parsing: data, task and trainer are built one after the other, each from the last.

    Attributes:
        verb: `fit`, `validate`, `test` or `predict`.
        settings: The verb's configuration, defaults included.
        given: What the user wrote, without defaults, as a plain dictionary.
    """

    def __init__(self, args: list[str]) -> None:
        """Parse.

        Args:
            args: The verb and its arguments.

        Raises:
            ConfigError: A key or value cannot be used.
        """
        faults_raise: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            Task,
            CaseDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                "prog": "python -m lit_medseg",
                **faults_raise,
                **{verb: dict(faults_raise) for verb in _VERBS},
            },
            trainer_defaults={"num_sanity_val_steps": 0, "use_distributed_sampler": False, "log_every_n_steps": 10},
            args=args,
        )

    @property
    def verb(self) -> str:
        """The verb."""
        return str(self.config.subcommand)

    @property
    def settings(self) -> Namespace:
        """The verb's configuration, defaults included; changed in place as the data fill it."""
        settings: Namespace = self.config[self.verb]
        return settings

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for name, (kind, default, text) in ARGUMENTS.items():
            parser.add_argument(f"--{name}", type=kind, default=default, help=text)

    @override
    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        words = cast(list[str], args)  # __init__ takes nothing else
        refuse_null(words)
        try:
            # Checked below, once the data's share of the network's arguments has stand-ins.
            self.config = parser.parse_args(words, _skip_validation=True)
            given = parser.parse_args(words, defaults=False, _skip_validation=True)
            self.given = _plain(given[given.subcommand])
            parser.validate(self._with_ports())
        except (ArgumentError, TypeError, KeyError) as error:
            known = [action.dest for action in self._parser(words[0])._actions]
            raise parse_fault(str(error), known) from error
        except UnicodeDecodeError as error:
            todo = "Save the file as UTF-8"
            raise ConfigError(expected_got("--config", "not a YAML", "text in UTF-8", error, todo)) from error
        refuse_empty_keys(self.settings.config or (), [action.dest for action in self._parser(words[0])._actions])

    def _with_ports(self) -> Namespace:
        """Give the configuration with numbers in place of those that the data will give.

        A network may have no default for them, and the parser would miss them.
        """
        config = self.config.clone()
        for path in (_NETWORK, f"{_NETWORK}.network.init_args", f"{_INFERER}.init_args"):
            arguments = config[self.verb].get(path) or {}
            for name, value in _STAND_INS.items():
                if name in arguments and arguments[name] is None:
                    arguments[name] = value
        return cast(Namespace, config)

    @override
    def _set_seed(self) -> None:
        try:
            super()._set_seed()
        except ValueError as error:
            seed = self.settings.seed_everything
            raise ConfigError(
                expected_got("seed_everything", "unusable seed", "0 to 4294967295", seed, "Choose another")
            ) from error

    @override
    def _parse_ckpt_path(self) -> None:
        """Leave the checkpoint alone: its YAML is compared with the given one later."""

    @override
    def instantiate_classes(self) -> None:
        """Build nothing yet."""

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing yet."""

    @property
    def experiment(self) -> str:
        """The experiment's name: `--experiment`, else the file name of the last YAML."""
        files = self.settings.config or []
        return self.settings.experiment or (Path(str(files[-1])).stem if files else "experiment")

    def resolved(self) -> dict[str, Any]:
        """Give the whole configuration as plain data: a YAML of it repeats the run."""
        text = self._parser(self.verb).dump(self.settings, skip_unset=False, skip_validation=True, format="yaml")
        plain: dict[str, Any] = yaml.safe_load(text)
        plain.pop("config", None)
        return plain

    def config_hash(self) -> str:
        """Hash the configuration without where and on what it runs (`_NOT_HASHED`).

        The hash is the same before and after the data have completed the configuration.
        """
        plain = self.computed(self.resolved())
        return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()

    def computed(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Leave out of a configuration what names no run: see `comparable`, and what the data have filled.

        Args:
            plain: As `resolved` gives it, or a run's `config.yaml`; not changed.
        """
        kept = comparable(plain)
        for path in (key.split(".") for key in _FILLED):
            if not _at(self.given, path):
                _drop(kept, path)
        return kept

    def build(self, key: str) -> Any:
        """Instantiate one part of the settings.

        Args:
            key: `data`, `model` or `trainer`.

        Returns:
            The instance; for `trainer` the arguments with their instances.

        Raises:
            MedSegError: What the part itself refuses.
            OSError: What it could not read or download.
        """
        parser = self._parser(self.verb)
        part = Namespace({key: self.settings[key]})  # type: ignore[no-untyped-call]
        try:
            return parser.instantiate(part)[key]
        except ValueError as error:  # the parser wraps an error in one text for all types that a value could have had
            raise _own_error(key, error) from error


def comparable(plain: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a configuration where and on what it runs, and what follows from its data (`_NOT_HASHED`).

    Args:
        plain: As `resolved` gives it, or a run's `config.yaml`; not changed.
    """
    kept = copy.deepcopy(plain)
    for key in _NOT_HASHED:
        _drop(kept, key.split("."))
    return kept


def _own_error(key: str, error: BaseException) -> BaseException:
    """Find the error of ours, or of the system, within those that wrap it; else turn the innermost one into ours."""
    own = error
    while not isinstance(own, MedSegError | OSError) and own.__cause__ is not None:
        own = own.__cause__
    if isinstance(own, MedSegError | OSError):
        return own
    got = f"{type(own).__name__}: {short_lists(' '.join(str(own).split()))[:500].rstrip('.')}"
    return ConfigError(
        expected_got(key, "it cannot be built", "values that its classes take", got, "Correct init_args")
    )


def _plain(value: Any) -> Any:
    """Turn namespaces into dictionaries, all the way down."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _at(plain: Any, path: list[str]) -> Any:
    """Look a nested key up; None where it does not exist."""
    for part in path:
        plain = plain.get(part) if isinstance(plain, dict) else None
    return plain


def _drop(plain: Any, path: list[str]) -> None:
    """Remove a nested key where it exists."""
    level = _at(plain, path[:-1])
    if isinstance(level, dict):
        level.pop(path[-1], None)
