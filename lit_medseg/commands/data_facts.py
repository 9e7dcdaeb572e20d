"""A data set in a few lines: what the tables of `data` show."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lit_medseg.catalogue.entry import Entry


def fact_rows(entries: Sequence[Entry], class_names: Sequence[str]) -> list[tuple[str, str]]:
    """Sum up the cases.

    Args:
        entries: Sound cases; none gives no rows.
        class_names: The foreground classes, in order.

    Returns:
        Rows of what and value: patients, channels, dtypes, grids, spacings, and one row a class.
    """
    if not entries:
        return []
    dimensions = {len(entry.grid) for entry in entries}
    rows = [
        ("patients", _patients(entries)),
        ("channels", _counted([_channels(entry) for entry in entries])),
        ("dtype", _counted([entry.dtype for entry in entries])),
        ("grid", _ranges([entry.grid for entry in entries], "{:g}")),
    ]
    if dimensions == {3} or any(set(entry.spacing_mm) != {1.0} for entry in entries):
        rows.append(("spacing in mm", _ranges([entry.spacing_mm for entry in entries], "{:.4g}")))
    present = [name for name in class_names if any(name in entry.present for entry in entries)]
    rows += [(f"class {name}", class_fact(entries, name)) for name in present]
    absent = [name for name in class_names if name not in present]
    return rows + ([("classes in no case", f"{len(absent)}: {', '.join(absent)}")] if absent else [])


def class_fact(entries: Sequence[Entry], name: str) -> str:
    """Say in how many cases a class is, and how large it is there."""
    present = [entry for entry in entries if name in entry.present]
    text = f"in {len(present)} of {len(entries)} cases"
    volumes = [entry.volume_ml[name] for entry in present if name in entry.volume_ml]
    if volumes:
        low, middle, high = np.percentile(volumes, (0, 50, 100))
        span = f" ({low:.3g} to {high:.3g})" if len(volumes) > 1 else ""
        return f"{text}, {middle:.3g} ml{span}"
    shares = [100 * entry.pixels[name] / np.prod(entry.grid) for entry in present if name in entry.pixels]
    return f"{text}, {np.median(shares):.3g} % of the pixels" if shares else text


def _patients(entries: Sequence[Entry]) -> str:
    unknown = sum(entry.case.patient_id is None for entry in entries)
    if unknown == len(entries):
        return "unknown"
    number = len({entry.case.patient_id for entry in entries} - {None})
    return f"{number}, unknown in {unknown} cases" if unknown else str(number)


def _channels(entry: Entry) -> str:
    names = f" ({', '.join(entry.case.channels)})" if entry.case.channels else ""
    return f"{entry.channels}{names}"


def _counted(texts: Sequence[str]) -> str:
    """Write each value with its number of cases, the number left out where there is one value."""
    counts = Counter(texts).most_common()
    if len(counts) == 1:
        return counts[0][0]
    more = f", and {len(counts) - 6} more" if len(counts) > 6 else ""
    return ", ".join(f"{text} in {count} cases" for text, count in counts[:6]) + more


def _ranges(vectors: Sequence[Sequence[float]], form: str) -> str:
    """Write the range along each axis, by number of axes."""
    parts: list[str] = []
    for axes in sorted({len(vector) for vector in vectors}):
        table = np.array([vector for vector in vectors if len(vector) == axes], dtype=np.float64)
        parts.append(" x ".join(_range(column, form) for column in table.T))
    return " and ".join(parts)


def _range(numbers: "np.ndarray[tuple[int], np.dtype[np.float64]]", form: str) -> str:
    low, high = form.format(numbers.min()), form.format(numbers.max())
    return low if low == high else f"{low}-{high}"
