from lit_medseg.sweep.tell import Outcome
from lit_medseg.sweep.trial_records import trial_records


def test_values_are_metrics_and_settings_parameters_with_short_names():
    settings = {"model.init_args.optimizer.init_args.lr": 0.001, "model.init_args.loss": "dice"}
    records = trial_records(Outcome("COMPLETE", (0.5,)), {"val/dice": 0.5}, settings)
    assert [(one.kind, one.key, one.value) for one in records] == [
        ("tag", "trial_state", "COMPLETE"),
        ("param", "search/lr", "0.001"),
        ("param", "search/loss", "dice"),
        ("metric", "trial/val/dice", 0.5),
    ]


def test_a_trial_without_values_says_why():
    records = trial_records(Outcome("FAILED", reason="out of memory: x"), {}, {})
    said = [(one.key, one.value) for one in records]
    assert said == [("trial_state", "FAILED"), ("trial_reason", "out of memory: x")]
