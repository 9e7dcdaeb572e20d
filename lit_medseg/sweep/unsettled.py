"""Why a worker lets go of a trial that is not settled."""


class Unsettled(Exception):  # noqa: N818 - no error of the trial: it stays open
    """The trial cannot go on here now, and is not to blame; the sweep ends in order and can be resumed."""


class Taken(Exception):  # noqa: N818 - no error of the trial
    """Another worker has taken the trial: this one stood still for too long."""
