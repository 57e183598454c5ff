# Tickets on a closed console: one that is right opens the next start, once; each other one is an event. Runs on both
# interpreters.
# mypy: allow-any-generics
import asyncio
import json
import os

from loader import console
from terminal import small_file, ticket_task

from protocol import record
from tests.vm import folders, releases


class Terminal:
    """All that the task needs, of a vector."""

    def __init__(self, vector: dict) -> None:
        self.data_dir = folders.new_folder(16)
        os.mkdir(self.data_dir)
        self.now_s = vector["now_s"]
        self.events: list[tuple[int, list[int]]] = []
        with open(self.data_dir + "/update_keys.json", "w") as file:
            json.dump({"keys": vector["keys"]}, file)
        small_file.write(self.data_dir + "/ticket", vector["last"].to_bytes(4, "big"))
        self.prefix = self.data_dir + "/"
        self.task = ticket_task.TicketTask(
            self, vector["terminal"], self.prefix, self,
            lambda code, _point, values: self.events.append((code, list(values))), lambda *_: None,
        )  # fmt: skip

    def real_ms(self) -> int:
        return 0

    uptime_ms = real_ms

    def unix_ms(self, _uptime_ms: int) -> "int | None":
        return None if self.now_s is None else 1000 * self.now_s

    def hears(self, line: str) -> "list[tuple[int, list[int]]]":
        """The events that follow."""
        asyncio.run(self.task.hear(line.encode()))
        told, self.events = self.events, []
        return told


def test_each_ticket_opens_or_is_refused_as_its_vector_says() -> None:
    # S-26 FR-88
    for vector in releases.vectors("tickets.json"):
        terminal = Terminal(vector)
        (event,) = terminal.hears(vector["line"])
        minutes = console.take_opening(terminal.prefix)
        what = f"{vector['id']} ({vector['comment']}): {event}, {minutes} minutes"
        if vector["result"]:
            assert (event, minutes, terminal.task.restart) == (
                (record.CONSOLE_REFUSED, [vector["result"]]),
                0,
                False,
            ), what
        else:
            assert event[0] == record.CONSOLE_OPENED, what
            assert event[1] == [vector["last"] + 1, minutes], what
            assert terminal.task.restart, what
        assert console.take_opening(terminal.prefix) == 0, "a start is opened once"


def test_a_ticket_opens_once() -> None:
    # S-26 FR-88
    vector = releases.vector("tickets.json", 0)
    terminal = Terminal(vector)
    assert terminal.hears(vector["line"])[0][0] == record.CONSOLE_OPENED
    assert terminal.hears(vector["line"]) == [(record.CONSOLE_REFUSED, [7])]


def test_who_types_on_and_on_fills_no_log() -> None:
    # S-26
    terminal = Terminal(releases.vector("tickets.json", 0))
    assert terminal.hears("help") == []
    told = [terminal.hears("wattline-ticket 00") for _ in range(100)]
    assert sum(len(one) for one in told) == 6


def test_a_console_is_closed_by_a_file_beside_main() -> None:
    # S-26
    terminal = Terminal(releases.vector("tickets.json", 0))
    assert not console.is_closed(terminal.prefix)
    open(terminal.prefix + "closed", "wb").close()
    assert console.is_closed(terminal.prefix)
    for content in (b"", b"\1\2", b"\0"):
        small_file.write(terminal.prefix + console.OPENED, content)
        assert console.take_opening(terminal.prefix) == 0
    console.open_next(terminal.prefix, 240)
    assert console.take_opening(terminal.prefix) == 240
