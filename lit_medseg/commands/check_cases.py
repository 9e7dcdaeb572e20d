"""Whether a verb has anything to work on."""

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import SplitError, expected_got

_SETS = {"validate": "val", "test": "test", "predict": "test"}


def check_cases(verb: str, data: CaseDataModule) -> None:
    """Refuse a verb whose set is empty: it would end well and have scored nothing.

    Args:
        verb: `fit` passes always: the split's own check sees to its training cases.
        data: Prepared.

    Raises:
        SplitError: The verb's set is empty.
    """
    name = _SETS.get(verb)
    if name is None or (verb == "predict" and data.predict_cases == "all") or data.split.sets[name]:
        return
    todo = f"Give the split {name} cases"
    if verb == "predict":
        todo += ", or set data.init_args.predict_cases: all"
    raise SplitError(expected_got(verb, f"the split has no {name} cases", "at least one", data.split, todo))
