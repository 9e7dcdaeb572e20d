"""What a YAML leaves to the data: the coding of the classes, the channels of the network, the size of its windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jsonargparse import Namespace

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.sliding_window import SlidingWindow
from lit_medseg.networks.ports import fill_ports
from lit_medseg.networks.slices_as_channels import SlicesAsChannels
from lit_medseg.target import Target

_SLICES = f"{SlicesAsChannels.__module__}.{SlicesAsChannels.__qualname__}"
_WINDOWS = f"{SlidingWindow.__module__}.{SlidingWindow.__qualname__}"


def fill_from_data(cli: ExperimentCLI, state: FittedState, patch_size: list[int] | None) -> None:
    """Complete the task's settings in place, so that the resolved YAML states them.

    Args:
        cli: Parsed; its `model` settings are completed.
        state: Of the data.
        patch_size: Sides of a training patch; None for whole images.

    Raises:
        ConfigError: The YAML states a coding that contradicts the data's.
    """
    model = cli.settings.model.init_args
    coding = _as_setting(state.target)
    stated = model.get("target")
    if stated is not None and _plain_target(stated) != _plain_target(coding):
        todo = "Leave target out: it is taken from the data"
        raise ConfigError(
            expected_got("model.target", "contradicts the data", _plain_target(coding), _plain_target(stated), todo)
        )
    model.target = coding
    given = cli.given["model"]["init_args"]["network"].get("init_args") or {}
    numbers = _Numbers(state.image_channels, state.target.channels, patch_size, state.spacing_mm)
    _fill_network(model.network, given, numbers)
    if patch_size is not None:
        _fill_windows(model, patch_size)


@dataclass(frozen=True)
class _Numbers:
    """What a network takes from the data; see `fill_ports`."""

    channels_in: int
    channels_out: int
    patch_size: Sequence[int] | None
    spacing_mm: Sequence[float] | None

    def of_slices(self, neighbours: int) -> "_Numbers":
        """Give the numbers of a network that sees slices with their neighbours as channels."""
        channels = self.channels_in * (2 * neighbours + 1)
        patch = None if self.patch_size is None else self.patch_size[1:]
        return _Numbers(channels, self.channels_out, patch, None if self.spacing_mm is None else self.spacing_mm[1:])


def _fill_network(network: Namespace, given: dict[str, Any], numbers: _Numbers) -> None:
    """Complete a network's settings, and those of the network of pictures within `SlicesAsChannels`."""
    filled = fill_ports(
        _imported(network.class_path),
        given,
        numbers.channels_in,
        numbers.channels_out,
        numbers.patch_size,
        numbers.spacing_mm,
    )
    for name, value in filled.items():
        network.init_args[name] = value
    if network.class_path == _SLICES:
        inner_given = (given.get("network") or {}).get("init_args") or {}
        _fill_network(network.init_args.network, inner_given, numbers.of_slices(network.init_args.neighbours))


def _fill_windows(model: Namespace, patch_size: list[int]) -> None:
    """Let volumes go through the network in windows of the training patches' size, unless the YAML says otherwise."""
    evaluating = model.get("evaluating")
    if evaluating is None:
        return
    if evaluating.inferer is None and len(patch_size) == 3:
        evaluating.inferer = Namespace(class_path=_WINDOWS, init_args=Namespace())  # type: ignore[no-untyped-call]
    inferer = evaluating.inferer
    if inferer is not None and inferer.class_path == _WINDOWS and inferer.init_args.get("patch_size") is None:
        inferer.init_args["patch_size"] = tuple(patch_size)


def _as_setting(target: Target) -> Namespace:
    kind = type(target)
    path = f"{kind.__module__}.{kind.__qualname__}"
    names = Namespace(names=tuple(target.names))  # type: ignore[no-untyped-call]
    return Namespace(class_path=path, init_args=names)  # type: ignore[no-untyped-call]


def _plain_target(setting: Namespace) -> str:
    return f"{setting.class_path.rpartition('.')[2]}{list(setting.init_args.names)}"


def _imported(class_path: str) -> Any:
    module, _, name = class_path.rpartition(".")
    return getattr(import_module(module), name)
