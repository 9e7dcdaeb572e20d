"""Where a run comes from: code, packages, machine, command."""

import platform
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil
import torch

from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.without_paths import without_paths

PACKAGES = (
    "torch", "torchvision", "lightning", "monai", "segmentation-models-pytorch", "timm", "torchmetrics", "mlflow",
    "albumentations", "numpy", "scipy", "scikit-learn", "pandas", "opencv-python-headless",
)  # fmt: skip
MAX_DIFF_BYTES = 1_000_000


def provenance(folder: Path) -> dict[str, str]:
    """Collect what tells where a run comes from.

    Args:
        folder: The working folder; its git repository is the one that is asked.

    Returns:
        Tags: git commit and whether tracked files were changed, versions, hardware, host, command line. No absolute
        path is among them.
    """
    return {
        **_git(folder),
        **_software(),
        **_hardware(),
        "command": without_paths(["lit_medseg", *_without_parent(sys.argv[1:])], folder),
    }


def _without_parent(arguments: Sequence[str]) -> list[str]:
    """Leave out the process that a child is bound to: typed again, the command has another one."""
    pairs = zip(("", *arguments), arguments, strict=False)  # each word, and the one before it
    return [word for before, word in pairs if "--parent_pid" not in (before, word.partition("=")[0])]


def write_diff(folder: Path, target: Path) -> bool:
    """Write the changes of tracked files against the commit.

    Args:
        folder: The working folder.
        target: The file to write; cut, with a last line that says so, at one million bytes.

    Returns:
        Whether there are changes; without any, nothing is written.
    """
    diff = _ask(folder, "diff", "HEAD", "--no-ext-diff", "--no-color")
    if not diff:
        return False
    content = diff.encode(errors="replace")
    if len(content) > MAX_DIFF_BYTES:
        content = content[:MAX_DIFF_BYTES] + b"\n(cut here: the changes are longer than a million bytes)\n"
    write_atomically(target, content)
    return True


def _ask(folder: Path, *arguments: str) -> str:
    """Ask git; empty where there is no git, no repository or no commit."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def _git(folder: Path) -> dict[str, str]:
    commit = _ask(folder, "rev-parse", "HEAD").strip()
    if not commit:
        return {"git.commit": "none"}
    dirty = bool(_ask(folder, "status", "--porcelain", "--untracked-files=no").strip())
    return {"git.commit": commit, "mlflow.source.git.commit": commit, "git.dirty": str(dirty).lower()}


def _software() -> dict[str, str]:
    tags = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}
    for package in PACKAGES:
        try:
            tags[f"package/{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return tags


def _hardware() -> dict[str, str]:
    tags = {
        "host": socket.gethostname(),
        "hardware/cpu": _cpu_model(),
        "hardware/cores": str(psutil.cpu_count()),
        "hardware/memory_gib": f"{psutil.virtual_memory().total / 2**30:.1f}",
        "hardware/gpus": "none",
    }
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        tags["hardware/gpus"] = ", ".join(names)
        tags["cuda"] = str(torch.version.cuda)
        if torch.distributed.is_nccl_available():
            tags["nccl"] = ".".join(str(part) for part in torch.cuda.nccl.version())  # type: ignore[no-untyped-call]
    return tags


def _cpu_model() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()
