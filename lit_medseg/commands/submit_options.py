"""What `submit` is told on the command line."""

import argparse
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from lit_medseg.cluster.slurm_profile import SlurmProfile, read_profile
from lit_medseg.errors import ConfigError, expected_got

VERBS = ("fit", "sweep", "crossval")
_OF_PROFILE = {
    "nodes": "machines (default: 1)",
    "gpus_per_node": "GPUs of each, one rank a GPU (default: 1; 0 for a cluster without)",
    "ranks_per_node": "ranks on each where there are no GPUs (default: 1)",
    "cpus_per_task": "processor cores of each rank",
    "signal_s": "seconds before the time limit at which the run stops and is queued again (default: 120)",
    "time": "time limit, e.g. 8:00:00",
    "partition": "partition",
    "account": "account that pays",
    "qos": "quality of service",
    "constraint": "features that the nodes must have",
    "mem": "memory of a node, e.g. 64G",
}
_NUMBERS = ("nodes", "gpus_per_node", "ranks_per_node", "cpus_per_task", "signal_s")


@dataclass(frozen=True)
class SubmitOptions:
    """The command line, read.

    Attributes:
        verb: What the job runs: `fit`, `sweep` or `crossval`.
        configs: Its YAMLs.
        run: Name of the run, of `fit` alone; None for one made from the YAML.
        folds: Of `crossval`; None for its own default.
        array: Workers of `sweep`, one a job; 0 for one job.
        profile: What the job asks for.
        dry: Only print the script.
        rest: Further arguments of the verb.
    """

    verb: str
    configs: list[str]
    run: str | None
    folds: int | None
    array: int
    profile: SlurmProfile
    dry: bool
    rest: list[str]


def read_options(argv: list[str]) -> SubmitOptions:
    """Read the arguments after `submit`.

    Args:
        argv: The arguments; those after `--` are the verb's.

    Raises:
        ConfigError: An unknown option, a bad value, or options that do not go together.
    """
    cut = argv.index("--") if "--" in argv else len(argv)
    own, rest = argv[:cut], argv[cut + 1 :]
    verb = own[0] if own and own[0] in VERBS else "fit"
    plain = {**vars(_parser().parse_args(own[1:] if own[:1] == [verb] else own)), "verb": verb}
    for name, verb in (("run", "fit"), ("folds", "crossval"), ("array", "sweep")):
        if plain[name] and plain["verb"] != verb:
            todo = f"Leave it out, or submit {verb}"
            raise ConfigError(expected_got(f"--{name}", f"it is for {verb}", verb, plain["verb"], todo))
    changes = {key: plain[key] for key in _OF_PROFILE}
    profile = read_profile(Path(plain["profiles"]), plain["profile"], changes)
    if plain["verb"] != "fit" and profile.nodes != 1:
        todo = "Ask for one node; a sweep takes more with --array"
        raise ConfigError(expected_got("nodes", "the parent lives on one node", 1, profile.nodes, todo))
    kept = {key: plain[key] for key in ("verb", "run", "folds", "array", "dry")}
    return SubmitOptions(configs=plain["config"], profile=profile, rest=rest, **kept)


class _Parser(argparse.ArgumentParser):
    """Complains as every command of ours does, and names the nearest option."""

    @override
    def error(self, message: str) -> NoReturn:
        _, _, unknown = message.partition("unrecognized arguments: ")
        name = unknown.split("=")[0].split(" ")[0]
        near = difflib.get_close_matches(name, (*self._option_string_actions, *VERBS), n=1, cutoff=0.0)
        todo = f"Did you mean {near[0]}? Arguments of the verb stand behind `--`" if unknown else "See submit --help"
        what = "unknown argument" if unknown else "it cannot be read"
        raise ConfigError(expected_got("command line", what, "what --help lists", unknown or message, todo))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m lit_medseg submit",
        usage="%(prog)s [fit | crossval | sweep] --config YAML [options] [-- arguments of the verb]",
        description="Run a verb as a Slurm job; it is queued again until it has finished.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("--config", "-c", action="append", required=True, metavar="YAML", help="the verb's YAML")
    add("--run", metavar="NAME", help="fit: name of the run, new or unfinished; default: made from the YAML")
    add("--folds", type=int, metavar="N", help="crossval: number of folds")
    add("--array", type=int, default=0, metavar="N", help="sweep: this many workers, each a job of an array")
    add("--profile", metavar="NAME", help="one of the profiles; the options below change it")
    add("--profiles", default="experiments/slurm/profiles.yaml", metavar="YAML", help="default: %(default)s")
    add("--dry-run", dest="dry", action="store_true", help="print the script; nothing is written or submitted")
    for key, text in _OF_PROFILE.items():
        kind, shown = (int, "N") if key in _NUMBERS else (str, "TEXT")
        add(f"--{key.replace('_', '-')}", f"--{key}", dest=key, type=kind, metavar=shown, help=text)
    return parser
