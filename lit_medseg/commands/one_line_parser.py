"""A command line whose faults are told as all others are."""

import argparse
import difflib
from typing import NoReturn

from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got


class OneLineParser(argparse.ArgumentParser):
    """Complains in one line, and names the nearest option."""

    @override
    def error(self, message: str) -> NoReturn:
        _, _, unknown = message.partition("unrecognized arguments: ")
        name = unknown.split("=")[0].split(" ")[0]
        near = difflib.get_close_matches(name, [*self._option_string_actions], n=1, cutoff=0.0)
        todo = f"Did you mean {near[0]}? Mend it" if unknown else f"See `{self.prog} --help`"
        what = "unknown argument" if unknown else "it cannot be read"
        raise ConfigError(expected_got("command line", what, "what --help lists", unknown or message, todo))
