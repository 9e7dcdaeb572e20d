import logging
import zipfile

import pytest
import torch

from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO
from lit_medseg.cluster.background_checkpoint_io import BackgroundCheckpointIO
from lit_medseg.cluster.checkpoint_files import find_damage, keep_newest, newest_whole, step_file, step_files
from lit_medseg.errors import CheckpointError


def write(folder, step, value=1.0):
    path = folder / step_file(step)
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"a": torch.full((5000,), value)}, "step": step}, path)
    return path


def test_the_newest_stay_and_the_link_names_the_last(tmp_path):
    for step in (5, 10, 100_000_000, 20):
        keep_newest(write(tmp_path, step), 2)
    # the one that was just written stays, whatever its number: a run that went back to an older checkpoint
    assert [path.name for path in step_files(tmp_path)] == ["step-100000000.ckpt", "step-00000020.ckpt"]
    assert (tmp_path / "last.ckpt").readlink().name == "step-00000020.ckpt"
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["step"] == 20
    (tmp_path / "step-1.ckpt").touch()
    (tmp_path / "step-00000030.ckpt.tmp").touch()
    assert len(step_files(tmp_path)) == 2
    assert step_files(tmp_path / "missing") == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_checkpoint_is_skipped_with_a_warning(tmp_path, damage, caplog):
    old, new = write(tmp_path, 5), write(tmp_path, 6)
    whole = new.read_bytes()
    at = whole.index(torch.ones(100).numpy().tobytes()) + 200
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    new.write_bytes({"cut": whole[:-700], "flipped": flipped, "empty": b"", "foreign": b"x" * 900}[damage])
    left = tmp_path / ".step-00000007.ckpt.123.unfinished"
    left.write_bytes(whole)
    with caplog.at_level(logging.WARNING):
        assert newest_whole(tmp_path) == old
    assert "step-00000006.ckpt is damaged" in caplog.text
    assert "an older one is taken" in caplog.text
    assert not left.exists()
    assert find_damage(new)
    assert not find_damage(old)


def test_damage_of_the_archive_itself_is_skipped_too(tmp_path):
    """The table of contents has no checksum: zipfile may ask for a password, or see nothing where torch cannot read."""
    old, new = write(tmp_path, 5), write(tmp_path, 6)
    whole = new.read_bytes()
    contents = whole.index(b"PK\x01\x02")
    tensor = whole.index(b"/data/0", contents)
    tensor = whole.rindex(b"PK\x01\x02", 0, tensor) - contents
    places = ((8, 1), (9, 255), (10, 255), (20, 255), (28, 1), (tensor + 38, 255), (len(whole) - contents - 22, 255))
    for offset, mask in places:
        at = contents + offset
        new.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        assert newest_whole(tmp_path) == old, offset
    new.write_bytes(whole)
    assert newest_whole(tmp_path) == new


def test_torch_itself_does_not_see_a_flipped_bit(tmp_path):
    """Why the checksums are compared."""
    path = write(tmp_path, 1)
    whole = path.read_bytes()
    at = whole.index(torch.ones(100).numpy().tobytes()) + 200
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert torch.load(path, weights_only=True, mmap=True)["step"] == 1
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is not None


def test_what_is_saved_is_what_it_was_at_the_call(tmp_path):
    writer, done = BackgroundCheckpointIO(), []
    weights = torch.zeros(1_000_000)
    for step in range(5):
        weights.fill_(step)
        state = {"state_dict": {"a": weights}, "list": [step]}
        writer.save_checkpoint(
            state, tmp_path / step_file(step), lambda path, seconds: done.append((path.name, seconds))
        )
        state["list"].append("later")
        weights.fill_(-1)
    writer.teardown()
    assert [name for name, _ in done] == [step_file(step) for step in range(5)]
    assert all(seconds > 0 for _, seconds in done)
    for step in range(5):
        found = torch.load(tmp_path / step_file(step), weights_only=True)
        assert found["state_dict"]["a"].unique().tolist() == [step]


def test_an_error_of_the_writing_comes_with_the_next_call(tmp_path):
    writer = BackgroundCheckpointIO()
    (tmp_path / "file").touch()
    writer.save_checkpoint({"a": 1}, tmp_path / "file" / "below.ckpt")
    with pytest.raises(CheckpointError, match="a checkpoint cannot be written, expected room on the disk"):
        writer.save_checkpoint({"a": 2}, tmp_path / "b.ckpt")
    writer.save_checkpoint({"a": 3}, tmp_path / "c.ckpt")
    writer.teardown()
    assert (tmp_path / "c.ckpt").is_file()
    assert not (tmp_path / "b.ckpt").exists()
