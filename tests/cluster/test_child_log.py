from lit_medseg.cluster.child_log import end_in_words, last_lines


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_end_of_the_last_command_is_read(tmp_path):
    log = write(
        tmp_path / "log",
        "[2026-01-02 03:04:05] fit --config a.yaml",
        "error: of the first attempt",
        "[2026-01-02 03:05:05] fit --config a.yaml",
        *(f"line {number}" for number in range(30)),
        "",
        "error: data: wrong, expected a, got b. Mend it.  ",
    )
    assert last_lines(log, 3) == ["line 28", "line 29", "error: data: wrong, expected a, got b. Mend it."]
    assert last_lines(log, 1000)[0] == "line 0"
    assert end_in_words(2, log) == "exit status 2: data: wrong, expected a, got b. Mend it."
    assert end_in_words(-9, log) == "ended by signal 9"


def test_without_a_word(tmp_path):
    log = write(tmp_path / "log", "error: earlier", "[2026-01-02 03:05:05] test")
    assert last_lines(log) == []
    assert end_in_words(1, log) == "exit status 1"
    assert last_lines(tmp_path / "none") == []


def test_only_the_end_of_a_long_log_is_read(tmp_path):
    log = write(tmp_path / "log", "[2026-01-02 03:05:05] fit", *("ä" * 1000 for _ in range(200)), "the end")
    assert last_lines(log, 2)[-1] == "the end"
