"""The environment of the peers that benchmarks compare with: nnU-Net 2.8.1 and MONAI 1.6.1, apart from ours.

It lies in `.venv-peers` beside `.venv`, is made when it is first asked for, and made anew when the versions change.

Run: python benchmarks/peer_environment.py
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-peers"
PEERS = ("nnunetv2==2.8.1", "monai==1.6.1")


def peer_python() -> Path:
    """Give the peers' Python, with the packages installed."""
    python, installed = FOLDER / "bin" / "python", FOLDER / "installed.txt"
    wanted = "\n".join(PEERS)
    if not python.exists() or not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(FOLDER)], check=True)
        subprocess.run([*uv, "pip", "install", "--python", str(python), *PEERS], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return python


if __name__ == "__main__":
    print(peer_python())
