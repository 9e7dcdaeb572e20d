from lit_medseg.commands.list_changes import list_changes, shorten


def test_keys_that_differ_with_both_values():
    earlier = {"trainer": {"max_epochs": 3, "callbacks": None}, "model": {"parts": [{"rate": 0.1}, {"rate": 0.2}]}}
    now = {"trainer": {"max_epochs": 2}, "model": {"parts": [{"rate": 0.1}, {"rate": 0.3}]}, "dropout": 0.5}
    assert list_changes(earlier, now) == [
        "dropout not set before, 0.5 now",
        "model.parts.1.rate 0.2 before, 0.3 now",
        "trainer.max_epochs 3 before, 2 now",
    ]
    assert list_changes(earlier, earlier) == []


def test_nothing_has_several_forms_and_zero_is_none_of_them():
    for nothing in ({"key": None}, {"key": {}}, {"key": []}, {"key": ""}, {}):
        assert list_changes(nothing, {}) == []
        assert list_changes(nothing, {"key": 0}) != []
        assert list_changes({"key": False}, nothing) != []


def test_many_changes_are_counted():
    changes = [str(number) for number in range(12)]
    assert shorten(changes) == "0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 2 more"
    assert shorten(changes[:10]) == "; ".join(changes[:10])
