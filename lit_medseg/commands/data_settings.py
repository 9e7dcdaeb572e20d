"""The part of an experiment's YAML that says which cases there are, read without building the experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.splitter import Splitter
from lit_medseg.commands.parse_faults import parse_fault
from lit_medseg.data.trust import Trust
from lit_medseg.data.truth import Truth
from lit_medseg.errors import ConfigError, MedSegError, expected_got

PLACE = "data.init_args"
KEYS = ("source", "truth", "splitter", "trust")


@dataclass(frozen=True)
class DataSettings:
    """What the YAML says of its cases.

    Attributes:
        name: The file name of the last YAML, without ending.
        source: Where the cases are.
        truth: The classes.
        splitter: Which cases train, validate and test.
        trust: What is known of patients, and what to do with identical images.
        cache_dir: Parent of the caches; what is read here, `fit` need not read again.
    """

    name: str
    source: Source
    truth: Truth
    splitter: Splitter
    trust: Trust
    cache_dir: Path

    @property
    def classes(self) -> Classes:
        """The declared classes.

        Raises:
            ConfigError: None are.
        """
        return self.truth.classes()

    @property
    def declared(self) -> Classes | None:
        """The declared classes; None for images without truth."""
        return self.truth.classes() if self.truth.declared else None


def read_data_settings(files: Sequence[str], words: Sequence[str]) -> DataSettings:
    """Read the YAMLs of an experiment as `fit` does, but only what concerns its cases.

    The other keys are left unread, so that neither torch nor Lightning is needed.

    Args:
        files: YAMLs; later ones win.
        words: `--data.init_args.KEY VALUE` and the like, which win over all.

    Raises:
        ConfigError: No file, no YAML, no `data`, or a key or value that cannot be used.
    """
    if not files:
        todo = "Name the YAML of an experiment: python -m lit_medseg data check experiments/quickstart.yaml"
        raise ConfigError(expected_got("command line", "no configuration", "a YAML", "none", todo))
    plain: dict[str, Any] = {}
    for file in files:
        plain = lay_over(plain, _data_part(Path(file)))
    parser = _parser()
    try:
        base = parser.parse_object({"data": {"init_args": {key: plain[key] for key in KEYS if key in plain}}})
        settings = parser.parse_args([*words], namespace=base)
        built = parser.instantiate(settings)
    except (ArgumentError, TypeError, KeyError) as error:
        raise parse_fault(str(error), [action.dest for action in parser._actions]) from error
    except ValueError as error:
        raise _own(error) from error
    return _settings(Path(files[-1]).stem, built[PLACE], plain)


def _settings(name: str, built: Namespace, plain: Mapping[str, Any]) -> DataSettings:
    preparation = plain.get("preparation") or {}
    cache_dir = preparation.get("cache_dir", "cache") if isinstance(preparation, dict) else "cache"
    splitter = HoldOut() if built.splitter is None else built.splitter
    return DataSettings(name, built.source, built.truth, splitter, built.trust, Path(cache_dir))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m lit_medseg data", exit_on_error=False, allow_abbrev=False)
    parser.add_argument(f"--{PLACE}.source", type=Source, required=True)
    parser.add_argument(f"--{PLACE}.truth", type=Truth, default=Truth())
    parser.add_argument(f"--{PLACE}.splitter", type=Splitter | None, default=None)
    parser.add_argument(f"--{PLACE}.trust", type=Trust, default=Trust())
    return parser


def _data_part(file: Path) -> dict[str, Any]:
    """Read the arguments of `data` of one YAML; `data` may name another file, relative to this one.

    Raises:
        ConfigError: No such file, no YAML, or no `data`.
    """
    try:
        plain: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        data: Any = plain.get("data") if isinstance(plain, dict) else None
        if isinstance(data, str):
            data = yaml.safe_load((file.parent / data).read_text(encoding="utf-8"))
    except OSError as error:
        todo = "Correct the path"
        raise ConfigError(expected_got("--config", "no such file", "a YAML", error.filename or file, todo)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        todo = "Write keys and values, see experiments/ for examples"
        got = " ".join(str(error).split())[:200]
        raise ConfigError(expected_got(f"--config {file.name}", "not a YAML", "keys and values", got, todo)) from error
    if data is None and isinstance(plain, dict):  # a file for another part, laid over one with the data
        return {}
    if not isinstance(data, dict) or not isinstance(data.get("init_args", {}), dict):
        todo = "Give the YAML of an experiment"
        raise ConfigError(expected_got(f"--config {file.name}", "no `data`", "data.init_args", data, todo))
    arguments: dict[str, Any] = data.get("init_args", {})
    return arguments


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one dictionary over another; another class brings its own arguments."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = value
        if isinstance(old, dict) and isinstance(value, dict):
            known = old.get("class_path")
            merged[key] = lay_over(old, value) if value.get("class_path", known) == known else value
    return merged


def _own(error: BaseException) -> BaseException:
    """Find the error of ours within those that wrap it."""
    own = error
    while not isinstance(own, MedSegError) and own.__cause__ is not None:
        own = own.__cause__
    return own if isinstance(own, MedSegError) else error
