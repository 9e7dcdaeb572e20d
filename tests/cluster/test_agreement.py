"""What ranks agree on, over real process groups."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lit_medseg.cluster.agreement import Agreement

SCRIPT = """
import json, os, sys, time
import torch.distributed as dist
from lit_medseg.cluster.agreement import Agreement

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
found = {}
for name, step_s in (("long", 1.0), ("short", 0.02)):
    agreement = Agreement()
    agreement.start(60.0)
    heard = []
    for call in range(60):
        asks = rank == 1 and call >= 7
        heard.append([*agreement.largest([3 if asks else 0], step_s), agreement._silent])
    agreement.end()
    found[name] = heard
agreement = Agreement()
agreement.start(60.0)
found["gathered"] = agreement.gather({"rank": rank})
with open(f"{folder}/rank{rank}.json", "w") as file:
    json.dump(found, file)
dist.destroy_process_group()
"""


def test_alone_a_rank_hears_itself_at_once():
    agreement = Agreement()
    agreement.start()
    assert agreement.largest([5, 0], 0.001) == [5, 0]
    assert agreement.gather("x") == ["x"]
    agreement.end()


@pytest.mark.slow
def test_both_ranks_hear_the_same_at_the_same_call(tmp_path):
    root = Path(__file__).parents[2]
    ranks = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(tmp_path)], cwd=root) for rank in (0, 1)]
    assert [rank.wait(120) for rank in ranks] == [0, 0]
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["gathered"] == [{"rank": 0}, {"rank": 1}]
    # a long step: every call has its message, read at the next one
    calls = [heard[0] for heard in first["long"]]
    assert calls[:8] == [0] * 8
    assert calls[8:] == [3] * 52
    assert all(silent == 0 for _, silent in first["long"])
    # of short steps some go without one: first one, then three, and a quarter of a second at most
    assert [silent for _, silent in first["short"][:9]] == [0, 1, 0, 3, 2, 1, 0, 7, 6]
    assert max(silent for _, silent in first["short"]) <= 11
    assert next(number for number, one in enumerate(first["short"]) if one[0] == 3) <= 7 + 2 * 12
