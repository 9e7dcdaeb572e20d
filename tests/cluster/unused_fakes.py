"""A network with parts that its output does not depend on."""

import torch
from lightning.pytorch import LightningModule
from torch import nn


class Partly(nn.Module):
    """Uses one of its parts, and the others for some steps at most."""

    def __init__(self, leaves_out_after=0):
        super().__init__()
        self.used = nn.Linear(4, 4)
        self.rest = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        self.scale = nn.Parameter(torch.ones(4))
        self.leaves_out_after = leaves_out_after
        self.calls = 0

    def forward(self, image):
        found = self.used(image)
        if self.calls < self.leaves_out_after:
            found = self.rest(found) * self.scale
        self.calls += 1
        return found


class PartlyTrained(LightningModule):
    """Trains it."""

    def __init__(self, leaves_out_after=0):
        super().__init__()
        self.network = Partly(leaves_out_after)

    def training_step(self, batch, batch_idx):
        return self.network(batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Alternating(PartlyTrained):
    """Uses all parts in every second batch."""

    def training_step(self, batch, batch_idx):
        self.network.calls = 1 - batch_idx % 2
        self.network.leaves_out_after = 1
        return self.network(batch).sum()
