"""What ended a run: which rank, where, and its own words."""

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.cluster.blame import Blame, blame_of
from lit_medseg.errors import MedSegError

_MAX_TEXT = 1000
_MAX_DETAILS = 50_000
_PATH = re.compile(r'File "([^"]+)"')
_BROKEN = re.compile(
    r"gloo|nccl|c10d|\b(TCP)?store\b|process group|Connection (closed|reset|refused)|Broken pipe|timed out"
    r"|another rank",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RankFailure:
    """A failure as one rank tells it.

    Attributes:
        rank: Its number.
        host: Its machine.
        text: What happened, one line, without rank and host.
        details: Traceback or positions of all ranks; several lines, or empty.
        status: Exit status that it asks for: 2 for a fault that the user can mend, else 1.
        felt: Whether it looks like the effect of another rank's end: a broken connection.
        blame: What it is to be blamed on.
    """

    rank: int
    host: str
    text: str
    details: str = ""
    status: int = 1
    felt: bool = False
    blame: Blame = Blame.SETTINGS

    @property
    def where(self) -> str:
        """The rank and its machine."""
        return f"rank {self.rank} on {self.host}"

    @property
    def line(self) -> str:
        """All in one line."""
        return f"{self.where} {self.text}"

    @property
    def report(self) -> str:
        """The line, then the details."""
        return f"{self.line}\n\n{self.details}".rstrip() + "\n"

    @property
    def shown(self) -> str:
        """For the terminal: the details, then one line that says what ended the command."""
        return f"{self.details}\nerror: {self.line}.".lstrip()


def failure_of(error: BaseException, rank: int, host: str, doing: str = "") -> RankFailure:
    """Put an exception into words.

    Args:
        error: As it was caught.
        rank: Of this process.
        host: Its machine.
        doing: What it was doing, see `Position`; empty where nobody knows.
    """
    own = isinstance(error, MedSegError)
    name = "" if own else f"{type(error).__name__}: "
    words = " ".join(str(error).split())
    where = f" ({doing})" if doing and not own else ""
    written = "".join(traceback.format_exception(error))
    felt = isinstance(error, RuntimeError) and not own and bool(_BROKEN.search(words))
    blame = blame_of(error)
    return RankFailure(
        rank,
        host,
        f"failed{where}: {_without_folders(name + words)[:_MAX_TEXT]}",
        "" if own else _without_folders(written)[-_MAX_DETAILS:],
        2 if own else 1,
        felt,
        Blame.LOST if felt and blame is Blame.SETTINGS else blame,
    )


def stack_of(frames: traceback.StackSummary) -> str:
    """Write a stack down, without the machine's folders."""
    return _without_folders("".join(frames.format()))[-_MAX_DETAILS:]


def _without_folders(text: str) -> str:
    """Shorten the names of files: to the part below `site-packages` or the working folder."""
    short = _PATH.sub(lambda found: f'File "{_short(found.group(1))}"', text)
    for folder in (str(Path.cwd()), str(Path.home())):
        if folder != "/":
            short = short.replace(f"{folder}/", "")
    return short


def _short(name: str) -> str:
    path = Path(name)
    if "site-packages" in path.parts:
        return "/".join(path.parts[path.parts.index("site-packages") + 1 :])
    if "lit_medseg" in path.parts:
        return "/".join(path.parts[path.parts.index("lit_medseg") :])
    folder = Path.cwd()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
