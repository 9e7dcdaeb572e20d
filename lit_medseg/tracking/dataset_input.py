"""The data set of a run as MLflow's dataset input."""

import json

from lit_medseg.catalogue.summary import DataSummary
from lit_medseg.tracking.records import Record

MAX_DIGEST = 36
MAX_PROFILE = 60_000


def dataset_input(summary: DataSummary) -> Record:
    """Describe the data so that MLflow shows it beside the run and finds runs by it.

    Args:
        summary: What the catalogue tells about the data.

    Returns:
        A record of kind `input`: name, digest (the data hash, of which MLflow takes 36 characters), source, classes as
        schema, counts and the whole hashes as profile.
    """
    profile = {
        "cases": dict(summary.cases),
        "patients": dict(summary.patients),
        "unused": summary.unused,
        "split_rule": summary.split_rule,
        "split_hash": summary.split_hash,
        "data_hash": summary.data_hash,
    }
    dataset = {
        "name": summary.name[:500] or "data",
        "digest": summary.data_hash[:MAX_DIGEST],
        "source_type": "local",
        "source": json.dumps(dict(summary.source), default=str)[:MAX_PROFILE],
        "schema": json.dumps({name: dict(counts) for name, counts in summary.classes.items()})[:MAX_PROFILE],
        "profile": json.dumps(profile),
    }
    plain = {"dataset": dataset, "tags": {"mlflow.data.context": "training, validation, test"}}
    return Record("input", summary.name, json.dumps(plain))
