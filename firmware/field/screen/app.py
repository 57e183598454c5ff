"""The live screen as a Textual program: a thread reads the bus, the screen shows what it sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.message import Message
from textual.widgets import DataTable, RichLog, Static

from firmware.field.bus import snapshot
from firmware.field.bus.asking import Heard
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Question, Reach, ReachError, Watched
from firmware.field.bus.snapshot import Snapshot
from firmware.field.bus.traffic import Exchange, exchange
from firmware.field.screen import traffic
from firmware.field.screen.diagram import diagram
from firmware.field.screen.rows import COLUMNS, Row, Traffic
from firmware.field.screen.words import Language, say

LINES_MAX = 500  # of traffic and log that can be scrolled back to; more is in a capture
_TICK_S = 0.1
_VIEWS = ("", "diagram", "traffic", "log")
_KEYS = (("q", "quit"), ("space", "pause"), ("z", "language"), ("v", "view"), ("tab", "next"))


class Taken(Message):
    """A point was read."""

    def __init__(self, planned: Planned, taken: Snapshot) -> None:
        super().__init__()
        self.planned, self.taken = planned, taken


class Went(Message):
    """Something went over the bus."""

    def __init__(self, question: Question, heard: Heard) -> None:
        super().__init__()
        self.exchange: Exchange = exchange(question, heard)
        self.question, self.heard = question, heard


class Gone(Message):
    """The bus can't be reached any more; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class LiveScreen(App[None]):
    """Reads the points round and round, every_s apart."""

    CSS_PATH = "live.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "quit", "quit"),
        Binding("space", "pause", "pause"),
        Binding("z", "language", "language"),
        Binding("v", "view", "view"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        reach: Reach,
        planned: Sequence[Planned],
        *,
        every_s: float = 2.0,
        language: Language = "en",
    ) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.language = language
        self.paused = False
        self.idle = False  # nothing is asked just now
        self.view = ""  # all panes
        self.rows = {one.number: Row(one) for one in planned}
        self.traffic = Traffic()
        self._port = reach.name
        self._reach = Watched(reach, lambda question, heard: self._send(Went(question, heard)))
        self._every_s = every_s
        self._ending = threading.Event()

    def compose(self) -> ComposeResult:
        """Table above, diagram and traffic side by side, log below."""
        yield Static(id="head")
        table: DataTable[Text] = DataTable(id="points", cursor_type="row", zebra_stripes=False)
        yield table
        with Horizontal(id="middle"):
            yield Static(id="diagram")
            yield RichLog(id="traffic", max_lines=LINES_MAX, wrap=False, auto_scroll=True)
        yield RichLog(id="log", max_lines=LINES_MAX, wrap=True)
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Start reading."""
        self._say_all()
        self.query_one("#points").focus()
        self.run_worker(self._read, thread=True, exit_on_error=True)

    def on_unmount(self) -> None:
        """The reader ends before the port is closed."""
        self._ending.set()

    def action_pause(self) -> None:
        """Stop asking, and go on."""
        self.paused = not self.paused
        self._head()

    def action_language(self) -> None:
        """The other language."""
        self.language = "zh" if self.language == "en" else "en"
        self._say_all()

    def action_view(self) -> None:
        """The next of: all panes, diagram alone, traffic alone, log alone."""
        self.view = _VIEWS[(_VIEWS.index(self.view) + 1) % len(_VIEWS)]
        for name in ("points", "diagram", "traffic", "log"):
            self.query_one(f"#{name}").display = self.view in {"", name}
        self.query_one("#middle").display = self.view in {"", "diagram", "traffic"}
        self.query_one("#log").set_class(self.view == "log", "alone")
        if self.view != "diagram":  # that alone has no keys of its own
            self.query_one(f"#{self.view or 'points'}").focus()
        self.call_after_refresh(self._draw)

    def on_taken(self, message: Taken) -> None:
        """A point's fresh values."""
        if not self._is_there:
            return
        row = self.rows[message.planned.number]
        changed = row.take(message.taken)
        table = self.query_one("#points", DataTable)
        for column, cell in zip(COLUMNS, row.cells(self.language), strict=True):
            table.update_cell(str(message.planned.number), column, cell, update_width=True)
        if changed:
            self._note(f"{message.planned.title}: {say(changed, self.language)}", "red" if row.said else "green")
        self._draw()
        self._head()

    def on_went(self, message: Went) -> None:
        """Traffic."""
        if not self._is_there:
            return
        self.traffic.heard(message.question, message.heard)
        pane = self.query_one("#traffic", RichLog)
        for line in traffic.lines(message.exchange, self.language):
            pane.write(line)

    def on_gone(self, message: Gone) -> None:
        """Nothing comes any more; what was read stays on the screen."""
        if not self._is_there:
            return
        self._note(f"{say('ended', self.language)}: {message.text}", "bold red")

    def on_data_table_row_highlighted(self) -> None:
        """Another point is looked at."""
        self._draw()

    def on_resize(self, event: Resize) -> None:
        """The panes have another size."""
        if event.size.width < 80 or event.size.height < 24:
            self._note(say("small", self.language), "yellow")
        self.call_after_refresh(self._draw)

    @property
    def _is_there(self) -> bool:
        """Whether the screen has its panes: what the reader sends while it ends is nobody's any more."""
        return bool(self.query("#keys")) and bool(self.query("#points"))

    @property
    def chosen(self) -> Row | None:
        """The point under the cursor."""
        at = self.query_one("#points", DataTable).cursor_row
        rows = list(self.rows.values())
        return rows[at] if 0 <= at < len(rows) else None

    def _read(self) -> None:
        """In a thread of its own: all points, again and again."""
        while not self._ending.is_set():
            began = time.monotonic()
            for row in self.rows.values():
                if self._ending.is_set() or self.paused:
                    break
                try:
                    self._send(Taken(row.planned, snapshot.take(self._reach, row.planned)))
                except ReachError as error:
                    self._send(Gone(str(error)))
                    return
            self.idle = self.paused
            while time.monotonic() - began < self._every_s and not self._ending.wait(_TICK_S):
                pass

    def _send(self, message: Message) -> None:
        self.post_message(message)

    def _say_all(self) -> None:
        """Everything with words, anew."""
        table = self.query_one("#points", DataTable)
        at = table.cursor_row
        table.clear(columns=True)
        for column in COLUMNS:
            table.add_column(say(column, self.language), key=column)
        for row in self.rows.values():
            table.add_row(*row.cells(self.language), key=str(row.planned.number))
        table.move_cursor(row=max(at, 0))
        for pane in ("diagram", "traffic", "log"):
            self.query_one(f"#{pane}").border_title = say(pane, self.language)
        keys: list[Any] = []
        for key, word in _KEYS:
            keys += [(f" {key} ", "reverse"), f" {say(word, self.language)}  "]
        self.query_one("#keys", Static).update(Text.assemble(*keys))
        self._head()
        self._draw()

    def _head(self) -> None:
        text = self.traffic.text(self._port, self._reach.signal_dbm, self.language, paused=self.paused)
        self.query_one("#head", Static).update(text)

    def _draw(self) -> None:
        """The diagram of the chosen point."""
        if not self._is_there:
            return
        pane, row = self.query_one("#diagram", Static), self.chosen
        size = pane.content_size
        if row is None or size.width < 2 or size.height < 1:
            return
        pane.border_title = f"{say('diagram', self.language)}: {row.planned.title}"
        pane.update(diagram(row.facts, size.width, size.height, self.language))

    def _note(self, text: str, style: str) -> None:
        stamp = time.strftime("%H:%M:%S ")
        self.query_one("#log", RichLog).write(Text.assemble((stamp, "bright_black"), (text, style)))
