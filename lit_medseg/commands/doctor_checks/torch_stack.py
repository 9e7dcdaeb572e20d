"""Torch, torchvision, CUDA and NCCL, seen from a child process that may break."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from lit_medseg.commands.doctor_checks.check import Check, fault, ok, warning
from lit_medseg.commands.doctor_checks.driver import driver_version
from lit_medseg.commands.doctor_checks.lock import reinstall

PROBE = Path(__file__).with_name("torch_probe.py")
START_S = 300


def check_torch_stack() -> list[Check]:
    """Import the libraries in a child process and judge what it tells."""
    facts = run_probe()
    checks = [_torch(facts)]
    if "torch" in facts:
        checks += [_torchvision(facts, pinned_torch()), _cuda(facts, driver_version()), _nccl(facts)]
    return checks


def run_probe() -> dict[str, Any]:
    """Run the probe.

    Returns:
        What it told; `torch_error` where it ended without a word.
    """
    # -P: the probe's own folder does not hide the standard library.
    command = [sys.executable, "-P", str(PROBE)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    except subprocess.TimeoutExpired:
        return {"torch_error": f"no end of the import after {START_S} s"}
    lines = [line for line in child.stdout.splitlines() if line.startswith("{")]
    if not lines:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return {"torch_error": f"the import ended with status {child.returncode}: {last}"}
    facts: dict[str, Any] = json.loads(lines[-1])
    return facts


def pinned_torch() -> str | None:
    """Read which torch the installed torchvision was built for; None where it does not say."""
    try:
        requires = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return None
    exact = [line.partition("==")[2].partition(";")[0].strip() for line in requires if line.startswith("torch==")]
    return exact[0] if exact else None


def _torch(facts: dict[str, Any]) -> Check:
    if "torch_error" in facts:
        return fault("torch", f"does not import: {facts['torch_error']}", reinstall("torch", "torchvision"))
    build = f"CUDA {facts['cuda_build']}" if facts["cuda_build"] else "CPU only"
    return ok("torch", f"{facts['torch']} ({build})")


def _torchvision(facts: dict[str, Any], wants: str | None) -> Check:
    torch = facts["torch"]
    if "torchvision_error" in facts:
        found = f"does not import beside torch {torch}: {facts['torchvision_error']}"
        return fault("torchvision", found, reinstall("torch", "torchvision"))
    found = f"{facts['torchvision']} beside torch {torch}"
    if wants is not None and wants.partition("+")[0] != torch.partition("+")[0]:
        return warning("torchvision", f"{found}, built for {wants}", reinstall("torch", "torchvision"))
    return ok("torchvision", found)


def _cuda(facts: dict[str, Any], driver: str | None) -> Check:
    build = facts["cuda_build"]
    if driver is None and facts["gpus"] == 0:
        return ok("CUDA", "no NVIDIA driver: training runs on the CPU (experiments/trainers/cpu.yaml)")
    found = f"driver {driver}, torch built for CUDA {build}"
    if build is None:
        return warning("CUDA", f"driver {driver}, but torch is built for the CPU", reinstall("torch", "torchvision"))
    if "cuda_error" in facts:
        mend = f"install a newer driver, or a torch that is built for it; {reinstall('torch', 'torchvision')}"
        return fault("CUDA", f"{found}: {facts['cuda_error']}", mend)
    if facts["gpus"] == 0:
        mend = f"install a driver for CUDA {build} or newer (nvidia-smi names its CUDA), or unset CUDA_VISIBLE_DEVICES"
        return fault("CUDA", f"{found}, but torch sees no GPU", mend)
    return ok("CUDA", found)


def _nccl(facts: dict[str, Any]) -> Check:
    if facts["nccl"]:
        return ok("NCCL", facts.get("nccl_version", "in torch; not used without a GPU"))
    if facts["gpus"] > 1:
        return fault("NCCL", "not in this torch: several GPUs cannot train together", reinstall("torch", "torchvision"))
    return ok("NCCL", "not in this torch; needed for several GPUs only")
