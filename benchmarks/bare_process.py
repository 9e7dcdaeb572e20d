"""A process that trains in plain PyTorch on request: one line with a number of steps in, one line of JSON out.

Started by `overhead.py` with the arguments of `fit`. It reads the same YAML, so network, loss, optimizer, batches and
augmentation are those of `fit`; it sleeps while `fit` trains, and `fit` sleeps while it trains.
"""

import json
import sys

import torch
from bare_loop import BareLoop

from lit_medseg.commands.build_task import build_task
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.data.datamodule import CaseDataModule


def main(argv: list[str]) -> None:
    """Prepare, say so, and train whenever asked, until the input ends.

    Args:
        argv: `fit` and its arguments.
    """
    cli = ExperimentCLI(argv)
    data: CaseDataModule = cli.build("data")
    data.prepare()
    task = build_task(cli, data, None)
    task.network.to("cuda" if torch.cuda.is_available() else "cpu")
    loader = data.train_dataloader()
    settings = cli.settings
    total_steps = len(loader) * (settings.trainer.max_epochs or 1)
    loop = BareLoop(task, task.network, settings.trainer.precision, settings.ema_decay, total_steps)
    loop.clip = settings.trainer.gradient_clip_val
    _say({"cases": len(data.split.train), "batch_size": data.loading.batch_size})
    for epoch, line in enumerate(sys.stdin):
        loader.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]  # ours: RankBatches
        seconds, images = loop.run(loader, int(line))
        _say({"seconds": seconds, "images": images})


def _say(answer: dict[str, float]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
