"""`ensemble`: several checkpoints as one, which `validate`, `test` and `predict` take as they take a single one."""

import argparse
import json
from pathlib import Path
from typing import Any

from lit_medseg.errors import CheckpointError, ConfigError, expected_got
from lit_medseg.tracking.ensemble_file import write_ensemble


def main(argv: list[str]) -> int:
    """Write an ensemble and say what to do with it.

    Args:
        argv: The arguments after the verb.

    Returns:
        0.

    Raises:
        CheckpointError: A member cannot be used, or does not fit the others.
        ConfigError: The post-processing cannot be read, or the file cannot be written.
    """
    arguments = _parser().parse_args(argv)
    target = Path(arguments.output)
    chosen = None if arguments.post_processing is None else _chosen(Path(arguments.post_processing))
    try:
        card = write_ensemble([Path(member) for member in arguments.members], target, chosen)
    except OSError as error:
        todo = "Free space, or name a place that you may write to"
        raise ConfigError(
            expected_got(target, "it cannot be written", "room", error.strerror or error, todo)
        ) from error
    members = card["members"]
    steps = len(card.get("post_processing", {}).get("steps", []))
    size_mib = target.stat().st_size / 2**20
    print(f"written     {target}: {len(members)} members, {size_mib:.1f} MiB, post-processing: {steps or 'no'} steps")
    if unknown := [member["file"] for member in members if "seen" not in member]:
        print(f"unknown     the cases that trained {', '.join(unknown)}: `test` cannot warn of them")
    print(f"test it     python -m lit_medseg test --ckpt_path {target}")
    print(f"use it      python -m lit_medseg predict --ckpt_path {target} --input STUDIES --output MASKS")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lit_medseg ensemble",
        description="Put several checkpoints of one experiment into one file; their probabilities are averaged.",
    )
    parser.add_argument(
        "members", nargs="+", metavar="CHECKPOINT", help="files that fit wrote, such as best.ckpt of folds"
    )
    parser.add_argument("--output", required=True, help="the file; an earlier ensemble there is replaced")
    parser.add_argument("--post_processing", help="JSON of post-processing that was chosen for the ensemble")
    return parser


def _chosen(path: Path) -> dict[str, Any]:
    """Read post-processing as a checkpoint's card has it.

    Raises:
        ConfigError: No such file, or something else in it.
    """
    from lit_medseg.inference.post_process.plain import post_process_from_plain  # noqa: PLC0415 imports torch

    try:
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for step in plain["steps"]:
            post_process_from_plain(step)
    except (OSError, ValueError, KeyError, TypeError, CheckpointError) as error:
        todo = "Give a file with `steps`, each with `class_path` and `init_args`"
        expected = "chosen post-processing"
        raise ConfigError(expected_got("--post_processing", "unusable", expected, f"{path}: {error}", todo)) from error
    return plain
