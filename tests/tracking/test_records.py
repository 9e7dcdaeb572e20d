import math
import resource
import signal

import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.records import Record, RecordFile, parse_record


@pytest.mark.parametrize("value", [0.1, -0.0, 1e300, 3, math.inf, -math.inf])
def test_a_number_comes_back(value):
    record = Record("metric", "val/dice", float(value), step=7, time_ms=1)
    assert parse_record(record.line()) == record


def test_nan_and_text_come_back():
    back = parse_record(Record("metric", "a", math.nan).line())
    assert back is not None
    assert math.isnan(float(back.value))
    record = Record("tag", "a", "two\nlines, „quotes“ \x00")
    assert record.line().count(b"\n") == 1
    assert parse_record(record.line()) == record


@pytest.mark.parametrize("line", [b"", b"\x00\x00\n", b"{}\n", b'{"kind": "metric", "key": "a"', b"[1]\n"])
def test_a_damaged_line_is_none(line):
    assert parse_record(line) is None


def _records(count):
    return [Record("metric", "loss", float(step), step, 1) for step in range(count)]


def test_reads_on_from_a_position(tmp_path):
    file = RecordFile(tmp_path)
    file.append(_records(3))
    read = list(file.read(0))
    assert [record.step for record, _ in read] == [0, 1, 2]
    assert [record.step for record, _ in file.read(read[1][1])] == [2]
    file.mark_sent(read[1][1])
    file.close()
    assert RecordFile(tmp_path).sent == read[1][1]


@pytest.mark.parametrize("torn", [b'{"kind": "met', b"x" * 200_000])
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    file = RecordFile(tmp_path)
    file.append(_records(2))
    file.close()
    with (tmp_path / "records.jsonl").open("ab") as raw:
        raw.write(torn)
    file = RecordFile(tmp_path)
    file.append(_records(1))
    assert [record.step for record, _ in file.read(0)] == [0, 1, 0]


def test_a_lone_torn_line_leaves_nothing(tmp_path):
    (tmp_path / "records.jsonl").write_bytes(b"{" * 100)
    assert list(RecordFile(tmp_path).read(0)) == []


@pytest.mark.parametrize("mark", ["", "{", '{"bytes": 1e9}', '{"bytes": "x"}'])
def test_a_damaged_mark_never_skips_a_record(tmp_path, mark):
    file = RecordFile(tmp_path)
    file.append(_records(2))
    (tmp_path / "sent.json").write_text(mark)
    assert file.sent in (0, file.size)


def test_a_full_disk_leaves_whole_lines(tmp_path):
    file = RecordFile(tmp_path)
    file.append(_records(2))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.size + 100, limits[1]))
    try:
        with pytest.raises(TrackingError, match=r"records\.jsonl: records cannot be written"):
            file.append(_records(50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    file.append(_records(1))
    assert [record.step for record, _ in file.read(0)] == [0, 1, 0]
