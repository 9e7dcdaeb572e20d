"""The command line: a table of verbs; a verb's module is imported when it is called, so that `--help` is instant."""

import atexit
import difflib
import gc
import importlib
import os
import sys
import tomllib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

from lit_medseg.cluster.blame import EXIT_STATUS, Blame, blame_of
from lit_medseg.errors import RECORDED, ConfigError, MedSegError


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        module: Where its `main(argv) -> exit status` lives.
        does: What it does, one line.
        example: The arguments of a typical call.
        keeps_name: Whether `main` is given the verb too: one module serves several.
    """

    module: str
    does: str
    example: str
    keeps_name: bool = False


TRAIN = "lit_medseg.commands.train"
_PARENT = "--parent_pid"
VERBS: dict[str, Verb] = {
    "fit": Verb(TRAIN, "train, or go on with an interrupted run; recorded in MLflow", "--config exp.yaml", True),
    "validate": Verb(TRAIN, "score a run's best checkpoint on the validation cases", "--config exp.yaml", True),
    "test": Verb(TRAIN, "score a run's best checkpoint on the test cases", "--config exp.yaml", True),
    "predict": Verb(TRAIN, "write predictions for images without a reference", "--config exp.yaml", True),
    "crossval": Verb("lit_medseg.commands.crossval", "train and test once a fold", "--config exp.yaml --folds 5"),
    "data": Verb("lit_medseg.commands.data", "check, split, describe a data set; convert images", "check exp.yaml"),
    "ensemble": Verb("lit_medseg.commands.ensemble", "several checkpoints as one", "a.ckpt b.ckpt --output e.ckpt"),
    "sync": Verb("lit_medseg.commands.sync", "send to MLflow what it has not taken while it was away", "--all"),
    "submit": Verb("lit_medseg.commands.submit", "run fit, crossval or sweep on Slurm", "--config exp.yaml --nodes 2"),
    "sweep": Verb("lit_medseg.commands.sweep", "search for hyper-parameters; resumable", "--config sweeps/nuclei.yaml"),
    "ui": Verb("lit_medseg.commands.ui", "open MLflow on the recorded runs", "--port 5000"),
    "doctor": Verb("lit_medseg.commands.doctor", "what is wrong with this machine and how to mend it", ""),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: The verb and its arguments; None for the process's own.

    Returns:
        The exit status: the verb's own, 2 for a fault of the user's input (its text, without a traceback), 130
        for Ctrl-C. A command with `--parent_pid` says by it what its failure is to be blamed on (`EXIT_STATUS`).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"lit_medseg {version()}")
        return 0
    _set_environment()
    try:
        return _run(arguments)
    except MedSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return _told(error, arguments, 2)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _has_parent(arguments):
            raise
        traceback.print_exc()
        return _told(error, arguments, 1)


def _told(error: Exception, arguments: Sequence[str], usual: int) -> int:
    """Give the exit status: to a parent it says what the failure is to be blamed on, unless the run's state does.

    With a full disk the state may not have been written.
    """
    if not _has_parent(arguments):
        return usual
    blame = blame_of(error)
    said = RECORDED in getattr(error, "__notes__", ()) and blame is not Blame.DISK
    return usual if said else EXIT_STATUS.get(blame, usual)


def _has_parent(arguments: Sequence[str]) -> bool:
    return any(word.partition("=")[0] == _PARENT for word in arguments)


def help_text() -> str:
    """Write the help: one line a verb, then an example of each."""
    width = max(map(len, VERBS))
    lines = ["usage: python -m lit_medseg VERB [arguments]", "", "verbs:"]
    lines += [f"  {name:<{width}}  {verb.does}" for name, verb in VERBS.items()]
    lines += ["", "examples:"]
    lines += [f"  python -m lit_medseg {name} {verb.example}".rstrip() for name, verb in VERBS.items()]
    lines += ["", "VERB --help lists a verb's arguments; --version prints the version."]
    return "\n".join(lines)


def version() -> str:
    """Read the version: the installed package's, or pyproject.toml's beside a package that runs from its folder."""
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version("lit_medseg")


def _run(arguments: list[str]) -> int:
    """Import the verb's module and call its `main`."""
    name = arguments[0]
    verb = VERBS.get(name)
    if verb is None:
        near = difflib.get_close_matches(name.lower(), VERBS, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"command line: unknown verb, expected one of {', '.join(VERBS)}, got {name!r}. Did you mean {near!r}?"
        )
    module = sys.modules.get(verb.module) or _imported(verb.module)
    status: int = module.main(arguments if verb.keeps_name else arguments[1:])
    return status


def _imported(name: str) -> ModuleType:
    """Import a module and what it needs, which lives as long as the process.

    The garbage collector would go through that growing heap again and again (a fifth of the time to the first training
    step): it pauses, and leaves what is there alone from then on.
    """
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # modules written in C count what nobody collects as leaked, and say so


def _set_environment() -> None:
    """Set what libraries read when they are imported; the user's own values win."""
    # albumentations asks a package index for a newer version at every import.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    # Pretrained weights come from a hub that counts its users.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
