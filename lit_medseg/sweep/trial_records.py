"""What a sweep adds to the MLflow run of a trial, so that trials can be sorted, charted and compared by it."""

from collections.abc import Mapping

from lit_medseg.sweep.parameter import Setting
from lit_medseg.sweep.report import short_name
from lit_medseg.sweep.tell import Outcome
from lit_medseg.tracking.records import MAX_PARAM_LENGTH, MAX_TAG_LENGTH, Record
from lit_medseg.tracking.safe_key import safe_key


def trial_records(outcome: Outcome, values: Mapping[str, float], settings: Mapping[str, Setting]) -> list[Record]:
    """Write them.

    Args:
        outcome: What came of the trial.
        values: Its values by metric: those that the search compares, which need not be the run's last ones.
        settings: By parameter.

    Returns:
        Tags `trial_state` and, unless it is complete, `trial_reason`; parameters `search/<short name>`; metrics
        `trial/<metric>`.
    """
    tags = {"trial_state": outcome.state, "trial_reason": outcome.reason}
    records = [Record("tag", key, value[:MAX_TAG_LENGTH]) for key, value in tags.items() if value]
    for name, value in settings.items():
        key = safe_key(f"search/{short_name(name, settings)}")
        records.append(Record("param", key, str(value)[:MAX_PARAM_LENGTH]))
    return [*records, *(Record("metric", safe_key(f"trial/{metric}"), value) for metric, value in values.items())]
