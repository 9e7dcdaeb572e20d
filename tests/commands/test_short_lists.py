"""Long lists of names in the errors of libraries."""

from lit_medseg.commands.short_lists import short_lists

NAMES = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)] + ["vgg11", "xception"]


def test_the_nearest_to_the_wrong_word_stay():
    text = short_lists(f"Wrong encoder name `xeption`, supported encoders: {NAMES}")
    assert text.startswith("Wrong encoder name `xeption`, supported encoders: ['xception', ")
    assert text.endswith("] or 4 more")


def test_without_a_wrong_word_the_first_stay():
    assert short_lists(f"one of {tuple(NAMES)}") == "one of ['resnet18', 'resnet34', 'resnet50'] or 4 more"


def test_short_lists_and_numbers_stay():
    for text in ("one of ['a', 'b']", "got [1, 2, 3, 4, 5, 6]", "nothing (really)"):
        assert short_lists(text) == text
