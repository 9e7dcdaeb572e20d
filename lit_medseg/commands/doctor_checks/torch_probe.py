"""Run as a program of its own: import torch and torchvision and tell what happened, as one line of JSON.

A broken wheel may raise anything or end the process: only this one.
"""

import json
from typing import Any


def probe() -> dict[str, Any]:
    """Try each library.

    Returns:
        Plain facts; `<name>_error` has the error's text where something failed, and then what depends on it is missing.
    """
    facts: dict[str, Any] = {}
    try:
        import torch  # noqa: PLC0415 - its failure is what is looked for
    except Exception as error:
        return {"torch_error": _text(error)}
    facts["torch"] = torch.__version__
    facts["cuda_build"] = torch.version.cuda
    facts["nccl"] = torch.distributed.is_available() and torch.distributed.is_nccl_available()
    facts["gpus"] = torch.cuda.device_count()
    if torch.cuda.is_available():
        facts.update(_cuda())
    try:
        import torchvision  # noqa: PLC0415
    except Exception as error:
        facts["torchvision_error"] = _text(error)
    else:
        facts["torchvision"] = torchvision.__version__
    return facts


def _cuda() -> dict[str, Any]:
    """Compute one sum on every GPU: a driver or a wheel that does not fit shows only then."""
    import torch  # noqa: PLC0415

    facts: dict[str, Any] = {"names": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]}
    try:
        for index in range(torch.cuda.device_count()):
            torch.ones(2, device=f"cuda:{index}").sum().item()
        facts["cuda_works"] = True
        facts["nccl_version"] = ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]
    except Exception as error:
        facts["cuda_error"] = _text(error)
    return facts


def _text(error: Exception) -> str:
    """The kind and the first line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


if __name__ == "__main__":
    print(json.dumps(probe()))
