import math

import pandas as pd
import pytest

from lit_medseg.errors import DataError
from lit_medseg.metrics.case_table import case_table, read_case_table, write_case_table


def _row(case_id, name="organ", dice=0.1 + 0.2, **more):
    return {"case_id": case_id, "patient_id": "007", "class": name, "dice": dice, "tp": 3, **more}


def test_sorted_by_case_with_classes_in_their_order_and_unique():
    rows = [_row("b"), _row("b", "lesion"), _row("a"), _row("a", "lesion"), _row("b"), _row("b", "lesion")]
    table = case_table(rows)
    assert list(zip(table["case_id"], table["class"], strict=True)) == [
        ("a", "organ"),
        ("a", "lesion"),
        ("b", "organ"),
        ("b", "lesion"),
    ]


def test_twice_with_nan_is_identical_but_another_value_is_refused():
    assert len(case_table([_row("a", dice=math.nan), _row("a", dice=math.nan)])) == 1
    with pytest.raises(DataError, match="case a: evaluated twice with differing results"):
        case_table([_row("a"), _row("a", dice=0.3)])


def test_csv_keeps_every_bit_and_every_name(tmp_path):
    rows = [_row("007", "NA", 1 / 3, p=5e-324), _row("1e3", "", -0.0, p=math.nan), _row('x,"ä', "nan", 1.0, p=1e300)]
    table = case_table(rows)
    write_case_table(table, tmp_path / "new" / "test.csv")
    back = read_case_table(tmp_path / "new" / "test.csv")
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert back.to_dict("records")[0] == table.to_dict("records")[0]
    text = (tmp_path / "new" / "test.csv").read_bytes()
    assert b"\r" not in text
    assert b"0.3333333333333333," in text
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["test.csv"]


def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "test.csv"
    write_case_table(case_table([_row("a")]), path)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_case_table(case_table([_row("b")]), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_rows(tmp_path):
    table = case_table([])
    assert table.empty
    write_case_table(table, tmp_path / "test.csv")
    assert read_case_table(tmp_path / "test.csv").empty


def test_unreadable_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="unusable table of cases"):
        read_case_table(tmp_path / "missing.csv")
    (tmp_path / "bad.csv").write_text("case_id,dice\na,high\n")
    with pytest.raises(DataError, match=r"bad\.csv: unusable table of cases"):
        read_case_table(tmp_path / "bad.csv")
