"""The network between two parts: it delays, throttles, holds and cuts exactly where it is told to."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.link import Link
from hil.proxy import weather_of
from hil.weather import PROFILES, Weather

PIECE = bytes(range(200))


class Target:
    """Takes connections, keeps what came over each, and says `PIECE` to everyone."""

    def __init__(self) -> None:
        self.got: list[bytearray] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self.got.append(bytearray())
            threading.Thread(target=self._take, args=(one, self.got[-1]), daemon=True).start()

    def _take(self, one: socket.socket, kept: bytearray) -> None:
        try:
            with one:
                one.sendall(PIECE)
                while data := one.recv(65536):
                    kept += data
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@contextmanager
def link(folder: Path) -> Iterator[tuple[Link, Target]]:
    target = Target()
    with Link(folder, target.port) as made:
        made.start()
        yield made, target
    target.close()


def wait(condition, timeout_s: float = 60) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_link_that_is_slow_stays_slow_when_it_comes_back(tmp_path: Path) -> None:
    """P-201: the network's speed, and whether it is there, are two things."""
    made = Link(tmp_path / "link", 1)
    made.set_profile("2g")
    made.set_up(up=False)
    made.set_up(up=True)
    made.break_after(300)
    lines = [json.loads(line) for line in (tmp_path / "link" / "control.jsonl").read_text().splitlines()]
    weathers = [weather_of(line) for line in lines[:3]]
    assert weathers == [PROFILES["2g"], replace(PROFILES["2g"], flowing=False), PROFILES["2g"]]
    assert lines[3:] == [{"cut": True}, {"cuts": [[True, 300]]}]


def everything(one: socket.socket) -> bytes:
    data = b""
    try:
        while piece := one.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def test_it_cuts_after_exactly_so_many_bytes_of_either_direction(tmp_path: Path) -> None:
    """P-201"""
    with link(tmp_path) as (made, target):
        cuts = [(True, 0), (True, 1), (True, 137), (False, 0), (False, 1), (False, 137), (True, 200)]
        made.cut_after(cuts)
        made.obeyed()
        for number, (up, after) in enumerate(cuts, 1):
            with socket.create_connection(("127.0.0.1", made.port), 20) as one:
                one.sendall(PIECE)
                down = everything(one)
            wait(lambda number=number: len(made.ended()) == number)
            row = made.ended()[-1]
            assert (row["end"], row["up" if up else "down"]) == ("cut", after)
            if not up:
                assert down == PIECE[:after]
            elif after:
                wait(lambda: target.got)
                wait(lambda after=after: bytes(target.got[-1]) == PIECE[:after])


def test_a_partition_holds_everything_and_ends_nothing(tmp_path: Path) -> None:
    """P-201"""
    with link(tmp_path) as (made, target), socket.create_connection(("127.0.0.1", made.port), 20) as one:
        assert one.recv(200)
        made.set(flowing=False)
        made.obeyed()
        one.sendall(PIECE)
        time.sleep(0.3)
        assert not target.got[0]
        made.set(flowing=True)
        wait(lambda: bytes(target.got[0]) == PIECE)


def test_who_is_not_there_refuses_and_comes_back_at_the_same_port(tmp_path: Path) -> None:
    with link(tmp_path) as (made, _), socket.create_connection(("127.0.0.1", made.port), 20) as one:
        made.set(listening=False)
        assert everything(one) in {PIECE, b""}
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", made.port), 20)
        made.set(listening=True)
        made.obeyed()
        with socket.create_connection(("127.0.0.1", made.port), 20) as again:
            assert again.recv(200)


def test_a_cut_ends_what_is_open_and_nothing_else(tmp_path: Path) -> None:
    with link(tmp_path) as (made, _), socket.create_connection(("127.0.0.1", made.port), 20) as one:
        assert one.recv(200, socket.MSG_WAITALL) == PIECE
        made.cut()
        assert everything(one) == b""
        with socket.create_connection(("127.0.0.1", made.port), 20) as again:
            assert again.recv(200, socket.MSG_WAITALL) == PIECE


def test_delay_and_throughput_are_at_least_what_was_asked(tmp_path: Path) -> None:
    """P-201"""
    with link(tmp_path) as (made, target), socket.create_connection(("127.0.0.1", made.port), 20) as one:
        assert one.recv(200)
        made.set(delay_ms=200, jitter_ms=100, bytes_per_s=20_000)
        made.obeyed()
        began = time.monotonic()
        for _ in range(20):
            one.sendall(PIECE)
        wait(lambda: len(target.got[0]) == 4000)
        assert time.monotonic() - began >= 0.2 + 0.9 * 4000 / 20_000
        assert bytes(target.got[0]) == 20 * PIECE, "delayed by more or less, and in order"


@settings(max_examples=20)
@given(
    st.dictionaries(
        st.sampled_from(["delay_ms", "jitter_ms", "bytes_per_s", "flowing", "profile", "x"]), st.integers(-3, 3)
    )
)
def test_an_order_is_taken_whole_or_refused(row: dict[str, int]) -> None:
    numbers = {"delay_ms", "jitter_ms", "bytes_per_s"}
    if set(row) <= numbers and all(value >= 0 for value in row.values()):
        assert weather_of(row) == Weather(**row)  # type: ignore[arg-type]  # none of the flags is in it
    else:
        with pytest.raises(ValueError, match="allowed"):
            weather_of(row)


def test_profiles_have_names() -> None:
    assert weather_of(json.loads('{"profile": "2g"}')) == PROFILES["2g"]
