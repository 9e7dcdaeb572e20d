import pytest

from lit_medseg.cluster.position import Position, Standing, describe_hang, find_hang

FORWARD = Position(3, 11, "in the forward pass of batch 2 of epoch 0", alone=False)
BACKWARD = Position(3, 12, "in the backward pass of batch 2 of epoch 0", alone=False)
CASE = Position(5, 4, "in batch 3 of validation", alone=True)
GATHERING = Position(6, 0, "at the end of validation, gathering the scores", alone=False)


def standings(*positions, since_s=100.0):
    return {rank: Standing(f"rank {rank} on n{rank}", one, since_s) for rank, one in enumerate(positions)}


@pytest.mark.parametrize(
    ("positions", "silent_s", "behind"),
    [
        ((BACKWARD, FORWARD, BACKWARD), 29.0, []),
        ((BACKWARD, FORWARD, BACKWARD), 30.0, [1]),
        ((FORWARD, BACKWARD, FORWARD), 30.0, [0, 2]),
        ((BACKWARD, BACKWARD), 59.0, []),
        ((BACKWARD, BACKWARD), 60.0, [0, 1]),  # a message that does not end
        ((GATHERING, CASE), 119.0, []),  # a whole volume takes its time
        ((GATHERING, CASE), 120.0, [1]),
        ((CASE, CASE), 1e6, []),
        ((), 1e6, []),
    ],
)
def test_ranks_behind_are_found_once_nothing_moves(positions, silent_s, behind):
    assert find_hang(standings(*positions), 100.0 + silent_s, 30.0) == behind


def test_one_rank_that_moves_is_no_hang():
    found = standings(GATHERING, BACKWARD)
    found[1] = Standing("rank 1 on n1", BACKWARD, 150.0)
    assert find_hang(found, 170.0, 30.0) == []
    assert find_hang(found, 181.0, 30.0) == [1]


def test_the_text_names_who_did_not_come_and_who_waited():
    text, table = describe_hang(standings(BACKWARD, FORWARD, BACKWARD), [1], 140.0)
    assert text == (
        "did not come: in the forward pass of batch 2 of epoch 0 since 40 s, "
        "while rank 0 on n0 and 1 more waited in the backward pass of batch 2 of epoch 0"
    )
    assert table.splitlines()[1] == "rank 1 on n1: in the forward pass of batch 2 of epoch 0, since 40 s"
    text, _ = describe_hang(standings(*[FORWARD] * 4, BACKWARD), [0, 1, 2, 3], 140.0)
    assert "(nor rank 1 on n1: in the forward pass of batch 2 of epoch 0; nor rank 2 on n2" in text
    assert "; nor 1 more)" in text
    text, _ = describe_hang(standings(BACKWARD, BACKWARD), [0, 1], 140.0)
    assert text.endswith("all ranks are at one point, in a message or a computation that does not end")
