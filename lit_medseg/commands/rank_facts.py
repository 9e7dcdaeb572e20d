"""What has to be the same on all ranks of a command."""

import hashlib
import json

from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.cluster.same_everywhere import refuse_differences
from lit_medseg.cluster.versions import versions
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.data.datamodule import CaseDataModule


def compared_facts(cli: ExperimentCLI, data: CaseDataModule, watch: RankWatch | None) -> dict[str, str]:
    """Collect versions and hashes, and compare them where other ranks are there already.

    Args:
        cli: Completed from the data.
        data: Prepared.
        watch: Reaches the other ranks; None where this process is alone, or will start them.

    Returns:
        What has to be the same, by name.

    Raises:
        ClusterError: Something differs.
    """
    fitted = json.dumps(data.plain(), sort_keys=True, default=str)
    summary = data.summary
    facts = {
        **versions(),
        "the verb": cli.verb,
        "the configuration": cli.config_hash(),
        "the data (pixels, truths, metadata)": summary.data_hash,
        "the split": summary.split_hash,
        "what was fitted on the data": hashlib.sha256(fitted.encode()).hexdigest(),
    }
    if watch is not None:
        refuse_differences(watch, facts)
    return facts
