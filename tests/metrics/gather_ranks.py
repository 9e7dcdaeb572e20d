"""Run by test_gather: evaluates fakes on W gloo ranks and lets each rank write its own table.

Call: gather_ranks.py FOLDER. One interpreter imports torch once and forks the ranks, which is seconds faster than
spawning them.
"""

import multiprocessing
import sys
from pathlib import Path

import torch
from torch import distributed

from lit_medseg.metrics.case_table import case_table, write_case_table
from lit_medseg.metrics.gather import gather_rows
from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.target import MultiClass

TARGET = MultiClass(("background", "organ", "lesion"))
SCORING = SegmentationScoring("always", lesions=True)
RUNS = [(cases, world) for cases in (2, 9) for world in (1, 2, 3)]


def evaluate(rank, world, cases, folder):
    torch.set_num_threads(1)
    if world > 1:
        store = f"file://{folder}/store-{cases}-{world}"
        distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    batches = [range(start, min(start + 2, cases)) for start in range(0, cases, 2)]
    rows = []
    for index in (index for batch in batches[rank::world] for index in batch):
        generator = torch.Generator().manual_seed(index)
        reference, prediction = TARGET.decide(torch.rand(2, 3, 5 + index, 7, generator=generator))
        case = (f"case-{(7 * index) % 10}", f"patient-{index // 2}", prediction, reference)
        rows += segmentation_rows(*case, TARGET, (1.3, 0.7), SCORING)
    write_case_table(case_table(gather_rows(rows)), folder / f"{cases}-{world}-{rank}.csv")
    if world > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for cases, world in RUNS:
        arguments = [(rank, world, cases, Path(sys.argv[1])) for rank in range(world)]
        ranks = [context.Process(target=evaluate, args=one) for one in arguments]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(60)
        if any(process.exitcode != 0 for process in ranks):
            sys.exit(f"{cases} cases, {world} ranks: exit codes {[process.exitcode for process in ranks]}")
