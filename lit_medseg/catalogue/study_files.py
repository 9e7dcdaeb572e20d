"""Image files of a folder tree, sorted into cases of one or several channels."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.image_files import VOLUME_ENDINGS, image_stem
from lit_medseg.errors import expected_got

_NUMBERED = re.compile(r"(?P<base>.+)_(?P<number>\d{4})")


@dataclass(frozen=True)
class StudyFiles:
    """Which files make a case.

    Attributes:
        images: Files of a case.
        channels: Their names, in the order of the channels; empty where they have none.
        stacked: How many channels one file holds along its fourth axis; 0 where a file is one image.
    """

    images: int
    channels: tuple[str, ...]
    stacked: int = 0

    def cases(self, files: Iterable[str]) -> tuple[list[Case], list[str]]:
        """Sort files into cases.

        Args:
            files: Paths relative to the root, with forward slashes.

        Returns:
            The cases; and what is wrong with the rest, one line each.
        """
        cases: list[Case] = []
        faults: list[str] = []
        for folder, stems in _by_folder(files).items():
            numbered, rest = _numbered(stems, self.images)
            for base, found in numbered.items():
                self._take_numbered(posixpath.join(folder, base), found, cases, faults)
            if self.images == 1:
                cases += [self._case(posixpath.join(folder, stem), [file]) for stem, file in rest.items()]
            elif rest:
                self._take_folder(folder, rest, cases, faults)
        return cases, faults

    def _case(self, case_id: str, files: Sequence[str]) -> Case:
        refs = tuple(map(Ref, files))
        if self.stacked:
            refs = tuple(Ref(files[0], index=channel) for channel in range(self.stacked))
        return Case(case_id, None, refs, channels=self.channels)

    def _take_numbered(self, case_id: str, found: dict[int, str], cases: list[Case], faults: list[str]) -> None:
        """Make a case of `<case>_0000`, `<case>_0001`, ..."""
        if sorted(found) == list(range(self.images)):
            cases.append(self._case(case_id, [found[number] for number in sorted(found)]))
            return
        expected = ", ".join(f"_{number:04d}" for number in range(self.images))
        got = ", ".join(f"_{number:04d}" for number in sorted(found))
        todo = "Give the case the channels that the checkpoint was trained on"
        faults.append(expected_got(f"case {case_id}", "other channels", expected, got, todo))

    def _take_folder(self, folder: str, files: dict[str, str], cases: list[Case], faults: list[str]) -> None:
        """Make cases of the files of one folder, by the channels' names, or of all of them where these have none."""
        where = f"folder {folder or '.'}"
        if not self.channels:
            if len(files) == self.images:
                cases.append(self._case(folder or "study", [files[stem] for stem in sorted(files)]))
                return
            expected = f"{self.images} files, or names that end with _0000, _0001, ..."
            todo = "Give every case a folder of its own, or number its channels"
            faults.append(expected_got(where, "not one case", expected, f"{len(files)} files", todo))
            return
        named = _named(files, self.channels)
        for base, found in named.items():
            # what all files of a folder have in common is no name of a case
            case_id = folder if folder and len(named) == 1 else posixpath.join(folder, base or "study")
            lacking = [name for name in self.channels if len(found.get(name, ())) != 1]
            if not lacking:
                cases.append(self._case(case_id, [found[name][0] for name in self.channels]))
                continue
            got = "; ".join(f"{name}: {', '.join(found.get(name, [])) or 'none'}" for name in lacking)
            todo = "Name one file after each channel"
            faults.append(expected_got(f"case {case_id}", "channels are missing or doubled", "one each", got, todo))
        if not named:
            expected = f"files named after {', '.join(self.channels)}, or _0000, _0001, ..."
            todo = "Name the files after the channels that the checkpoint was trained on"
            faults.append(expected_got(where, "no file is a channel", expected, ", ".join(files), todo))


def _by_folder(files: Iterable[str]) -> dict[str, dict[str, str]]:
    """Sort by folder: stem and path; of one stem with two endings, both stay."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(files):
        path = Path(file)
        stems = found.setdefault(posixpath.dirname(file), {})
        stem = image_stem(path)
        stems[path.name if stem in stems else stem] = file
    return found


def _numbered(stems: dict[str, str], images: int) -> tuple[dict[str, dict[int, str]], dict[str, str]]:
    """Part the files of nnU-Net's form, `<case>_0000`, from the rest; a number counts only beside a `_0000`.

    Pictures that are counted through, as a film's are, are no channels where a case is one file.
    """
    numbered: dict[str, dict[int, str]] = {}
    rest: dict[str, str] = {}
    for stem, file in stems.items():
        match = _NUMBERED.fullmatch(stem)
        if match is None or f"{match['base']}_0000" not in stems:
            rest[stem] = file
        else:
            numbered.setdefault(match["base"], {})[int(match["number"])] = file
    for base, found in [*numbered.items()] if images == 1 else []:
        if len(found) > 1 and not any(file.lower().endswith(VOLUME_ENDINGS) for file in found.values()):
            rest |= {image_stem(Path(file)): file for file in numbered.pop(base).values()}
    return numbered, rest


def _named(files: dict[str, str], channels: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Find the channels' names as words in the files' names; what is left of a name is the case."""
    named: dict[str, dict[str, list[str]]] = {}
    for stem, file in files.items():
        for name in channels:
            word = rf"(?:^|(?<=[^A-Za-z0-9])){re.escape(name)}(?=$|[^A-Za-z0-9])"
            if re.search(word, stem, re.IGNORECASE):
                base = re.sub(word, "", stem, count=1, flags=re.IGNORECASE).strip("_-. ")
                named.setdefault(re.sub(r"([_\-. ])[_\-. ]+", r"\1", base), {}).setdefault(name, []).append(file)
                break
    return named
