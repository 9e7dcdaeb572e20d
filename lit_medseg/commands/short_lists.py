"""Long lists of names in the errors of libraries, cut to what helps."""

import difflib
import re

_LIST = re.compile(r"[\[{(](?:\s*['\"][^'\"]*['\"]\s*,){4,}[^\])}]*[\])}]")
_NAME = re.compile(r"['\"`]([^'\"`]*)['\"`]")


def short_lists(text: str) -> str:
    """Leave of each list of five names or more those that are nearest to the word in quotes before it.

    That word is the wrong one in what libraries say: "Wrong encoder name `resnet81`, supported encoders: [...]".

    Args:
        text: Of an error.

    Returns:
        The same without the names that are far from it, or, without such a word, with the first three alone.
    """

    def nearest(found: re.Match[str]) -> str:
        names = _NAME.findall(found[0])
        said = _NAME.findall(text[: found.start()])
        near = difflib.get_close_matches(said[-1], names, n=3, cutoff=0.0) if said else names[:3]
        return f"{near} or {len(names) - len(near)} more"

    return _LIST.sub(nearest, text)
