"""`doctor`: what is wrong with this machine and how to mend it, also when nothing but Python works."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from lit_medseg.commands.doctor_checks.check import Check, State
from lit_medseg.commands.doctor_checks.driver import check_gpus
from lit_medseg.commands.doctor_checks.interpreter import check_platform, check_python
from lit_medseg.commands.doctor_checks.machine import check_cores, check_disk, check_memory, check_shared_memory
from lit_medseg.commands.doctor_checks.packages import check_packages
from lit_medseg.commands.doctor_checks.stores import check_data_root, check_mlflow_store
from lit_medseg.commands.doctor_checks.torch_stack import check_torch_stack

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}


def main(argv: list[str]) -> int:
    """Look at everything and print a table.

    Args:
        argv: The arguments after the verb; there are none but `--help`.

    Returns:
        1 where there is a fault, else 0 (a warning is none).
    """
    description = "Look at Python, torch, CUDA, NCCL, GPUs, cores, memory, disk, packages and stores."
    epilog = "Exit status: 1 where there is a fault, else 0."
    argparse.ArgumentParser(prog="python -m lit_medseg doctor", description=description, epilog=epilog).parse_args(argv)
    checks = examine()
    try:
        print_table(checks)
    except ImportError:
        print(plain_text(checks))
    count = {state: sum(check.state is state for check in checks) for state in State}
    print(f"{count[State.OK]} ok, {count[State.WARNING]} warnings, {count[State.FAULT]} faults")
    return 1 if count[State.FAULT] else 0


def examine() -> list[Check]:
    """Run every check, in the order of the table; one that breaks is itself a fault, and the others go on."""
    subjects: list[tuple[str, Callable[[], list[Check]]]] = [
        ("Python", lambda: [check_python()]),
        ("platform", lambda: [check_platform()]),
        ("packages", lambda: [check_packages()]),
        ("torch", check_torch_stack),
        ("GPUs", check_gpus),
        ("cores", lambda: [check_cores()]),
        ("memory", lambda: [check_memory()]),
        ("shared memory", lambda: [check_shared_memory()]),
        ("disk", lambda: [check_disk(Path.cwd())]),
        ("MLflow store", lambda: [check_mlflow_store()]),
        ("LIT_MEDSEG_DATA", lambda: [check_data_root()]),
    ]
    checks: list[Check] = []
    for name, look in subjects:
        try:
            checks += look()
        except Exception as error:  # the machine is broken in a way that nobody foresaw
            found = f"could not be looked at: {type(error).__name__}: {error}"
            checks.append(Check(name, State.FAULT, found, "report this line as a bug"))
    return checks


def plain_text(checks: Sequence[Check]) -> str:
    """Write the checks as lines, for a machine without rich."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state.value:<8} {check.name:<{width}}  {check.found}")
        if check.mend:
            lines.append(f"{'':<8} {'':<{width}}  mend: {check.mend}")
    return "\n".join(lines)


def print_table(checks: Sequence[Check]) -> None:
    """Print the checks with rich, and below them what to do, in lines that are not wrapped: they are to be copied.

    Raises:
        ImportError: There is no rich; nothing is printed.
    """
    from rich.console import Console  # noqa: PLC0415 - it may be missing
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("", "what", "found", box=None, pad_edge=False)
    for check in checks:
        table.add_row(Text(check.state.value, style=COLOURS[check.state]), Text(check.name), Text(check.found))
    console = Console()
    console.print(table)
    for check in checks:
        if check.mend:
            console.print(Text(f"\n{check.name}: {check.state.value}. To mend it:", style=COLOURS[check.state]))
            print(f"  {check.mend}")
