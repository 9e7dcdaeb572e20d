"""The watch over the ranks: real sockets and torch's store, several ranks in one process."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lit_medseg.cluster.first_rank import FirstRank
from lit_medseg.cluster.join_ranks import join_ranks
from lit_medseg.cluster.position import Position
from lit_medseg.cluster.rank_line import RankLine
from lit_medseg.cluster.rank_seat import RankSeat
from lit_medseg.cluster.same_everywhere import differences, refuse_differences
from lit_medseg.cluster.shared_folder import refuse_unshared_folder
from lit_medseg.cluster.versions import code_hash, versions
from lit_medseg.errors import ClusterError


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def on_all(watches, function):
    """Run a function on every rank at once; exceptions are results."""

    def caught(watch):
        try:
            return function(watch)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(watches)) as pool:
        return list(pool.map(caught, watches))


@pytest.fixture
def watches(monkeypatch):
    monkeypatch.setattr("lit_medseg.cluster.other_rank.FIRST_GOES_S", 0.5)
    port, count = free_port(), 3
    with ThreadPoolExecutor(count) as pool:
        seats = [RankSeat(rank, count, "127.0.0.1", port) for rank in range(count)]
        found = list(pool.map(join_ranks, seats))
    yield found
    for watch in reversed(found):
        watch.close()


def test_alone_there_is_nothing_to_watch():
    assert join_ranks(None) is None


def test_every_rank_gets_what_all_have_in_their_order(watches):
    for name in ("one", "two"):
        found = on_all(watches, lambda watch, name=name: watch.exchange(name, {name: watch.seat.rank}))
        assert found == [[(socket.gethostname(), {name: rank}) for rank in range(3)]] * 3


def test_ranks_that_differ_are_refused_on_all_with_rank_and_host(watches):
    data = ["a" * 64, "b" * 64, "a" * 64]
    facts = [{"the data": data[rank], "the verb": "fit"} for rank in range(3)]
    errors = on_all(watches, lambda watch: refuse_differences(watch, facts[watch.seat.rank]))
    assert all(isinstance(error, ClusterError) for error in errors)
    host = socket.gethostname()
    assert (
        str(errors[0])
        == str(errors[2])
        == (
            f"ranks: the data differs, expected rank 0's aaaaaaaaaaaa ({host}), got bbbbbbbbbbbb on rank 1 ({host}). "
            "Give all nodes the same environment, the same code and the same data."
        )
    )
    settled = on_all(watches, lambda watch: watch.settle(errors[watch.seat.rank]))
    assert settled[0] is None  # the first rank says it
    assert [failure.status for failure in settled[1:]] == [2, 2]  # the others are quiet


def test_many_differences_are_cut():
    facts = [{"torch": "1"}, *({"torch": "2"} for _ in range(5))]
    [line] = differences([f"n{rank}" for rank in range(6)], facts)
    assert line.endswith("got 2 on rank 1 (n1), 2 on rank 2 (n2), 2 on rank 3 (n3) and 2 more ranks")
    assert differences(["a", "b"], [versions()] * 2) == []


def test_other_code_has_another_hash(tmp_path):
    package = tmp_path / "lit_medseg"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    before = code_hash(package)
    assert code_hash(package) == before
    (tmp_path / "data_modules").mkdir()
    (tmp_path / "data_modules/b.py").write_text("y = 1\n")
    assert code_hash(package) != before


def test_a_run_folder_that_all_see(watches, tmp_path):
    folder = tmp_path / "exp" / "run"
    folder.mkdir(parents=True)
    assert on_all(watches, lambda watch: refuse_unshared_folder(watch, folder)) == [None] * 3
    assert list(folder.iterdir()) == []


def test_a_run_folder_that_one_rank_does_not_see_names_it(watches, tmp_path, monkeypatch):
    folder = tmp_path / "exp" / "run"
    folder.mkdir(parents=True)
    monkeypatch.setattr("lit_medseg.cluster.shared_folder._appears", lambda token, patience_s: False)
    first, *_ = on_all(watches, lambda watch: refuse_unshared_folder(watch, folder, 0.1))
    assert isinstance(first, ClusterError)
    assert str(first).startswith("run folder exp/run: not the same folder everywhere, expected one for all ranks, got ")
    assert f"rank 1 on {socket.gethostname()}" in str(first)
    assert list(folder.iterdir()) == []


def test_the_failing_ranks_own_words_reach_all_before_the_effects(watches):
    watches[2].at(Position(1, 7, "in the forward pass of batch 1 of epoch 0", alone=False))
    told = watches[1].settle(RuntimeError("[gloo] Connection closed by peer"))  # an effect, heard first
    assert told is None
    assert watches[2].settle(ArithmeticError("the cause")) is None
    cause = watches[0].settle(RuntimeError("Connection reset by peer"))
    assert cause.line == (
        f"rank 2 on {socket.gethostname()} failed (in the forward pass of batch 1 of epoch 0): "
        "ArithmeticError: the cause"
    )


def test_a_rank_that_waits_for_one_that_fails_is_let_go(watches):
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(watch.exchange, "never", None) for watch in watches[:2]]
        time.sleep(0.5)
        watches[2].settle(ArithmeticError("the cause"))
        error = waiting[0].exception(10)
        assert isinstance(error, RuntimeError)
        assert watches[0].settle(error).text.endswith("ArithmeticError: the cause")
        error = waiting[1].exception(10)
        assert watches[1].settle(error).text.endswith("ArithmeticError: the cause")


def test_a_stranger_is_not_heard(watches):
    port = watches[0]._peers.point.listening.getsockname()[1]
    for words in (b"GET / HTTP/1.1\r\n", b"1\n", b"[{}]\n", b"\xff\n"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(words)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        line = RankLine(connection)
        line.send(kind="hello", rank=1, host="elsewhere", secret="guessed")
        line.send(kind="failure", rank=1, host="elsewhere", text="lies")
        found = on_all(watches, lambda watch: watch.exchange("after", watch.seat.rank))
    assert [host for host, _ in found[0]] == [socket.gethostname()] * 3


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # as loaders do it
def test_a_forked_child_does_not_keep_the_connection_open():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = RankLine(socket.create_connection(listening.getsockname()))
        other = RankLine(listening.accept()[0])
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        one.close()
        with pytest.raises(EOFError):
            other.receive()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        other.close()


def test_a_taken_port_is_named_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(ClusterError) as caught:
            FirstRank(RankSeat(0, 2, "127.0.0.1", port))
    assert time.monotonic() - start < 10
    start = f"127.0.0.1:{port}: the port is taken on {socket.gethostname()}, expected a free port, got Address already"
    assert str(caught.value).startswith(start)


def test_a_first_rank_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("lit_medseg.cluster.other_rank.JOIN_S", 1.0)
    port = free_port()
    with pytest.raises(ClusterError, match=rf"127.0.0.1:{port}: rank 1 on .* has not found rank 0 in \d s"):
        join_ranks(RankSeat(1, 2, "127.0.0.1", port))
