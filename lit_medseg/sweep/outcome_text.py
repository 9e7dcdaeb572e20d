"""What came of a trial, for a line of text."""

from collections.abc import Mapping

from lit_medseg.sweep.tell import Outcome


def outcome_text(outcome: Outcome, metrics: list[str]) -> str:
    """Write what came of a trial in a few words."""
    if outcome.state != "COMPLETE":
        state = outcome.state.lower()
        return outcome.reason[:160] if outcome.reason.startswith(state) else f"{state}, {outcome.reason[:160]}"
    values: Mapping[str, float] = dict(zip(metrics, outcome.values, strict=True))
    return ", ".join(f"{metric} {value:.4f}" for metric, value in values.items())
