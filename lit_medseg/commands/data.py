"""`data`: look at a data set before training on it, and convert images."""

import argparse
import logging
from pathlib import Path

CONFIG_VERBS = {
    "check": "read every case and report every fault of the data set",
    "split": "show which cases train, validate and test",
    "describe": "sum up spacings, shapes, intensities and volumes, and draw a sheet of pictures",
}
CONVERT = "convert an image, a mask or a DICOM series into another format"


def main(argv: list[str]) -> int:
    """Run one verb of `data`.

    Args:
        argv: The arguments after `data`.

    Returns:
        0; `check` gives 1 where the data set has faults.

    Raises:
        MedSegError: The configuration or a file cannot be used (exit status 2).
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    plain, words = (argv, []) if argv[:1] == ["convert"] else _without_data_keys(argv)
    arguments = _parser().parse_args(plain)
    if arguments.verb == "convert":
        from lit_medseg.commands.data_convert import Conversion, convert  # noqa: PLC0415 each verb loads what it needs

        keys = ("reference", "reference_key", "key", "index", "names", "resample", "overwrite")
        return convert(
            Path(arguments.source), Path(arguments.target), Conversion(**{key: getattr(arguments, key) for key in keys})
        )
    try:
        return _run(arguments, words)
    except OSError as error:
        from lit_medseg.errors import DataError, expected_got  # noqa: PLC0415

        todo = "Free space, or name another folder with --out"
        where = arguments.out or "cache_dir"
        raise DataError(expected_got(where, "a file cannot be written", "room", error.strerror, todo)) from error


def _run(arguments: argparse.Namespace, words: list[str]) -> int:
    """Run a verb that works on an experiment's data."""
    from lit_medseg.commands.data_settings import read_data_settings  # noqa: PLC0415

    settings = read_data_settings([*arguments.config, *([arguments.yaml] if arguments.yaml else [])], words)
    out = None if arguments.out is None else Path(arguments.out)
    if arguments.verb == "check":
        from lit_medseg.commands.data_check import check  # noqa: PLC0415

        return check(settings, out)
    if arguments.verb == "split":
        from lit_medseg.commands.data_split import show_split  # noqa: PLC0415

        show_split(settings, out)
        return 0
    from lit_medseg.commands.data_describe import describe  # noqa: PLC0415

    describe(settings, Path(f"data-{settings.name}") if out is None else out)
    return 0


def _without_data_keys(argv: list[str]) -> tuple[list[str], list[str]]:
    """Take `--data.KEY VALUE` and `--data.KEY=VALUE` out: they are keys of the YAML, and none of the verb's."""
    plain: list[str] = []
    keys: list[str] = []
    words = iter(argv)
    for word in words:
        if word.startswith("--data."):
            keys += [word] if "=" in word else [word, *[value for value in [next(words, None)] if value is not None]]
        else:
            plain.append(word)
    return plain, keys


def _parser() -> argparse.ArgumentParser:
    epilog = "Exit status: 0; 1 where `check` has found faults; 2 where the configuration or a file cannot be used."
    parser = argparse.ArgumentParser(
        prog="python -m lit_medseg data", description="Look at a data set, convert images.", epilog=epilog
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, does in CONFIG_VERBS.items():
        verb = verbs.add_parser(name, help=does, description=f"{does.capitalize()}.", epilog=epilog, allow_abbrev=False)
        verb.add_argument("yaml", nargs="?", metavar="CONFIG", help="YAML of an experiment; only its `data` is read")
        verb.add_argument("--config", action="append", default=[], help="the same; several are laid over each other")
        verb.add_argument("--out", help="folder for the files that the verb writes")
    _add_convert(verbs.add_parser("convert", help=CONVERT, description=f"{CONVERT.capitalize()}.", allow_abbrev=False))
    return parser


def _add_convert(convert: argparse.ArgumentParser) -> None:
    convert.add_argument("source", help="file, or folder of DICOM files")
    convert.add_argument(
        "target",
        help="file whose ending chooses the format (.dcm: DICOM-SEG); a name without such an ending is a folder that "
        "gets one NIfTI per DICOM series",
    )
    convert.add_argument("--reference", help="image or DICOM series that the mask was drawn on")
    convert.add_argument("--reference_key", default="", help="first file of that series, where its folder has several")
    convert.add_argument("--key", default="", help="dataset, array, segment, or first file of a DICOM series")
    convert.add_argument("--index", type=int, help="channel of an image of four dimensions, row of an array")
    convert.add_argument(
        "--names", nargs="+", default=[], metavar="CODE=NAME", help="DICOM-SEG: labels of the segments"
    )
    convert.add_argument("--resample", action="store_true", help="interpolate tilted and uneven DICOM series")
    convert.add_argument("--overwrite", action="store_true", help="replace a target that exists")
