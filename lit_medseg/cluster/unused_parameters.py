"""Parameters that the loss does not depend on: DDP would wait for their gradients."""

from torch import nn

from lit_medseg.errors import ConfigError, expected_got

TORCHS_WORDS = "Expected to have finished reduction in the prior iteration"
"""How torch says, a step later, that a gradient did not come."""
_NETWORK = "network."
_MOST_NAMED = 5


def refuse_unused(module: nn.Module) -> None:
    """Refuse a module some of whose trained parameters have got no gradient.

    Args:
        module: After a backward pass, before the gradients are put away.

    Raises:
        ConfigError: There are such parameters; the largest parts that hold nothing else are named.
    """
    unused = without_gradient(module)
    if unused:
        raise unused_fault(unused)


def without_gradient(module: nn.Module) -> list[str]:
    """Name the parts all of whose trained parameters have no gradient, and single parameters of other parts.

    Args:
        module: After a backward pass.

    Returns:
        Dotted names; a part stands for all within it. Empty where each trained parameter has a gradient.
    """
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    missing = {name for name, value in trained.items() if value.grad is None}
    parts: list[str] = []
    for name, _ in module.named_modules() if missing else ():
        within = {one for one in trained if one.startswith(f"{name}.")}
        if name and within and within <= missing:
            parts.append(name)
            missing -= within
    return [*parts, *sorted(missing)]


def unused_fault(unused: list[str]) -> ConfigError:
    """Put parameters without gradient into words.

    Args:
        unused: As `without_gradient` names them; empty where that is not known any more.
    """
    names = [name.removeprefix(_NETWORK) for name in unused] or ["some"]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    got = f"none for {', '.join(names[:_MOST_NAMED])}{more}"
    what = "the loss does not depend on all of it, and several ranks wait for each gradient"
    todo = (
        "Leave these parts out of the network or freeze them (model.init_args.fine_tuning.frozen), "
        "or set trainer.strategy: ddp_find_unused_parameters_true, which costs some time at each step"
    )
    return ConfigError(expected_got("model.network", what, "a gradient for each trained parameter", got, todo))
