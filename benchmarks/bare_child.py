"""The other end of `bare_process.py`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class BareChild:
    """Starts the process and asks it to train.

    Args:
        arguments: Of `fit`, without the verb.

    Attributes:
        cases: Training cases.
        batch_size: Samples a step.
    """

    def __init__(self, arguments: list[str]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("bare_process.py")), "fit", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdin is None or self._process.stdout is None:  # never: for the type checker
            raise RuntimeError("bare loop: no pipes, expected two, got none.")
        self._input, self._output = self._process.stdin, self._process.stdout
        ready = self._answer()
        self.cases, self.batch_size = int(ready["cases"]), int(ready["batch_size"])

    def train(self, steps: int) -> dict[str, float]:
        """Train an epoch of so many steps; gives `seconds` and `images`."""
        self._input.write(f"{steps}\n")
        self._input.flush()
        return self._answer()

    def close(self) -> None:
        """End the process: its input ends."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        for line in self._output:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"bare loop: ended early, expected an answer, got exit status {self._process.wait()}.")
