"""When a trial was last brought on."""

from lit_medseg.sweep.place import Place


def last_progress(place: Place, number: int) -> float:
    """Give the time stamp of the newest checkpoint of a trial's runs; 0 where there is none.

    Whoever died before that has brought the trial on: the trial does not end its workers.

    Args:
        place: The sweep's folders.
        number: The trial.
    """
    run = place.run(number).path
    files = run.parent.glob(f"{run.name}*/checkpoints/step-*.ckpt")
    return max((file.stat().st_mtime for file in files), default=0.0)
