"""Who starts the ranks: srun, torchrun, or this process itself."""

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from lit_medseg.cluster.slurm_ranks import SlurmRanks


def rank_environment() -> ClusterEnvironment:
    """Choose what the Trainer is given as its plugin, so that Lightning does not guess.

    Lightning's guess takes a single process within a Slurm allocation for a rank, and warns of srun wherever it is
    installed.

    Returns:
        `SlurmRanks` for a task of srun's, Lightning's own for torchrun, else the one whose ranks this process starts.
    """
    if SlurmRanks.detect():
        return SlurmRanks()
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()
