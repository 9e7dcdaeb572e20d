"""What is left of the memory."""

import psutil
import pytest
import torch

from lit_medseg.inference.free_memory import free_bytes, memory_limit_bytes
from lit_medseg.inference.kept_pages import kept_pages

CPU = torch.device("cpu")


def test_a_jobs_own_limit_counts(tmp_path):
    assert free_bytes(CPU, tmp_path) == pytest.approx(psutil.virtual_memory().available, rel=0.3)
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.max").write_text("10000\n")
    assert free_bytes(CPU, tmp_path) == 7000
    (tmp_path / "memory.stat").write_text("anon 1000\nactive_file 500\ninactive_file 1200\n")
    assert free_bytes(CPU, tmp_path) == 8700, "what was read from files is given back when it is needed"
    (tmp_path / "memory.stat").unlink()
    (tmp_path / "memory.max").write_text("2000\n")
    assert free_bytes(CPU, tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(CPU, tmp_path) > 10**6


def test_a_stated_limit_is_taken_as_it_is():
    assert memory_limit_bytes(0.25, CPU) == 2**28
    assert 0 < memory_limit_bytes(None, CPU) < psutil.virtual_memory().total


def test_kept_pages_give_them_back_at_the_end():
    process = psutil.Process()
    before = process.memory_info().rss
    with kept_pages():
        for _ in range(3):
            torch.ones(64 * 2**20 // 4)
        kept = process.memory_info().rss - before
    assert process.memory_info().rss - before < max(kept / 2, 2**24)
