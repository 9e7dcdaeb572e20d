import os
import subprocess
import sys
from pathlib import Path

from lit_medseg.metrics.gather import gather_rows


def test_alone_it_gives_its_own_rows():
    rows = [{"case_id": "a"}, {"case_id": "b"}]
    assert gather_rows(rows) == rows
    assert gather_rows([]) == []


def test_the_csv_of_one_two_and_three_ranks_is_byte_equal(tmp_path):
    """9 cases in batches of 2 do not divide by the ranks; 2 cases leave all ranks but the first without a batch."""
    script = Path(__file__).with_name("gather_ranks.py")
    root = str(script.parents[2])
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for cases in (2, 9):
        tables = {path.name: path.read_bytes() for path in sorted(tmp_path.glob(f"{cases}-*.csv"))}
        assert len(tables) == 1 + 2 + 3
        assert len(set(tables.values())) == 1, list(tables)
        assert len(tables[f"{cases}-1-0.csv"].splitlines()) == 1 + 2 * cases
