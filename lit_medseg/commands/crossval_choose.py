"""`crossval choose-post-processing`: a child of a cross-validation, since checkpoints need torch."""

import json
from pathlib import Path

from lit_medseg.commands.crossval_folder import FILE
from lit_medseg.crossval.chosen import CHOSEN, chosen_file
from lit_medseg.inference.post_process.choose_across import choose_across_folds
from lit_medseg.inference.post_process.stored_masks import StoredMasks
from lit_medseg.target import target_from_plain
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.checkpoint_card import read_card, update_card
from lit_medseg.tracking.kept_address import kept_address
from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunFolder


def choose(folder: Path) -> None:
    """Choose each fold's post-processing on the masks of the others, and put it into the card of its checkpoint.

    Args:
        folder: The run folder of the cross-validation.

    Raises:
        MedSegError: Masks or checkpoints cannot be read.
    """
    runs = json.loads((folder / FILE).read_text(encoding="utf-8"))["runs"]
    names = {int(run["fold"]): str(run["run"]) for run in runs if run["inner"] is None}
    masks = {number: StoredMasks(folder / "folds" / f"fold{number}-masks") for number in names}
    checkpoints = {number: _checkpoint(folder.parent / name) for number, name in names.items()}
    target = target_from_plain(read_card(checkpoints[0])["data"]["target"])
    by_fold, every = choose_across_folds(masks, target)
    for number, chosen in by_fold.items():
        update_card(checkpoints[number], {"post_processing": chosen.plain()})
        _record(RunFolder(folder.parent / names[number]), checkpoints[number])
        steps = ", ".join(f"{type(step).__name__} of {'+'.join(step.classes)}" for step in chosen.steps) or "none"
        print(f"fold {number}: post-processing {steps}, chosen on {chosen.cases} cases of the other folds")
        write_atomically(chosen_file(folder, number), json.dumps(chosen.plain(), indent=1) + "\n")
    write_atomically(folder / CHOSEN, json.dumps(every.plain(), indent=1) + "\n")


def _checkpoint(run: Path) -> Path:
    best = run / "checkpoints" / "best.ckpt"
    return best if best.is_file() else run / "checkpoints" / "last.ckpt"


def _record(run: RunFolder, checkpoint: Path) -> None:
    """Replace the checkpoint in the fold's MLflow run; it waits in its folder where the store is away."""
    uri, run_id = kept_address(run.path), run.read().run_id
    if uri is not None and run_id and checkpoint.name == "best.ckpt":
        queue = RecordQueue(run.path, run_id, LazyClient(uri))
        queue.put(Record("artifact", "checkpoints", "checkpoints/best.ckpt"))
        queue.close()
