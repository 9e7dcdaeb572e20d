"""The arguments of fit, validate, test and predict beside those of Lightning."""

from typing import Any

from lit_medseg.tasks.learning_rate_scaling import LearningRateScaling

ARGUMENTS: dict[str, tuple[Any, Any, str]] = {
    "experiment": (str | None, None, "Name of the experiment; default: the YAML's file name."),
    "run": (str | None, None, "Name of the run; default: made from the YAML's content."),
    "runs_dir": (str, "runs", "Folder of all run folders."),
    "tracking": (str | None, None, "MLflow address; default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db."),
    "resume": (
        str,
        "auto",
        "fit: `auto` goes on with the newest unfinished run of this YAML (or with --run), `never` starts a new one, "
        "a path goes on from that checkpoint.",
    ),
    "allow_changes": (bool, False, "fit: go on although the configuration or the data have changed since."),
    "checkpoint_minutes": (float, 10.0, "fit: minutes between two checkpoints to go on from."),
    "keep_checkpoints": (int, 2, "fit: how many of them stay."),
    "ema_decay": (
        float | None,
        None,
        "Average the weights exponentially with this decay (e.g. 0.999); the average is evaluated and saved.",
    ),
    "learning_rate": (
        LearningRateScaling | None,
        None,
        "fit: let the optimizer's learning rate follow the batch size, as {reference_batch: 8, rule: linear}.",
    ),
    "dropout": (float, 0.0, "Share of the features dropped before the network's last layer while it trains."),
    "early_stopping": (int | None, None, "Stop after this many validations without a gain."),
    "overlay_every": (int, 10, "Epochs between two sheets of validation overlays."),
    "output": (str | None, None, "predict: folder for the predictions; default: the run's folder."),
    "input": (
        str | None,
        None,
        "predict: folder of new studies (NIfTI, DICOM, pictures, ...) in place of the YAML's data.",
    ),
    "probabilities": (bool, False, "predict: write each class's probabilities too."),
    "choose_post_processing": (
        bool,
        False,
        "validate: choose post-processing on the validation cases and put it into the checkpoint.",
    ),
    "parent_run": (str | None, None, "fit: MLflow run that a new run is put below (of a sweep, of folds)."),
    "parent_pid": (int | None, None, "Process that started this one: fit stops, with a checkpoint, when it is gone."),
    "tags": (dict[str, str] | None, None, "fit: tags of a new MLflow run."),
}
"""Type, default and help by name."""

NOT_COMPUTED = (
    *(
        name
        for name in ARGUMENTS
        if name not in ("ema_decay", "learning_rate", "dropout", "early_stopping", "overlay_every")
    ),
)
"""Those that change no number of a run: they do not name it."""
OF_ONE_CALL = (
    "run", "ckpt_path", "resume", "allow_changes", "input", "output", "probabilities", "choose_post_processing",
    "parent_run", "parent_pid", "tags",
)  # fmt: skip
"""Those that a YAML which repeats the run leaves out."""
