from lit_medseg.sweep.drop_resume_points import drop_resume_points


def test_a_finished_run_keeps_its_best_checkpoint_alone(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("best.ckpt", "step-00000010.ckpt", "step-00000020.ckpt", "mine.ckpt"):
        (folder / name).write_bytes(b"x")
    (folder / "last.ckpt").symlink_to("step-00000020.ckpt")
    drop_resume_points(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "mine.ckpt"]


def test_without_a_best_one_nothing_is_deleted(tmp_path):
    drop_resume_points(tmp_path)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "step-00000010.ckpt").write_bytes(b"x")
    drop_resume_points(tmp_path)
    assert len(list(folder.iterdir())) == 1
