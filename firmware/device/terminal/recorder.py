# What the terminal has to tell, on its way into the log: windows and events, stamped with the clock and how good it is.
from protocol import record

_UNWRITTEN_MAX = 16  # records that the flash refused; 4 hours of windows


class Recorder:
    """`clock` terminal.clock; `say` prints a line. The log is given `encode_own`, for its own events, and then attached
    here."""

    def __init__(self, clock, say) -> None:  # type: ignore[no-untyped-def]
        self._append = None
        self._on_new = None
        self.lost = 0  # records that the flash did not take in time
        self._clock = clock
        self._say = say
        self._unwritten: "list[record.Event | record.Window]" = []

    def attach(self, append, on_new) -> None:  # type: ignore[no-untyped-def]
        """`append` is the log's; `on_new()` is called when there is something new to send."""
        self._append = append
        self._on_new = on_new

    def window(self, window: record.Window) -> None:
        self._keep(window)

    def event(self, code: int, point: "int | None", values) -> None:  # type: ignore[no-untyped-def]
        self._keep(self._event(code, point, values))

    def encode_own(self, seq: int, code: int, values) -> bytes:  # type: ignore[no-untyped-def]
        """The log's own records: damage, and what was dropped because it was full."""
        self._say("log: event", code, *values)
        return record.encode_event(seq, self._event(code, None, values))

    def write(self) -> None:
        """Store what the flash has not taken yet."""
        try:
            while self._unwritten:
                self._append(_encoder(self._unwritten[0]))  # type: ignore[misc]
                self._unwritten.pop(0)
        except OSError as error:
            self._say("log: not written:", error)
        self._on_new()  # type: ignore[misc]

    @property
    def waiting(self) -> int:
        """How many records the flash has not taken."""
        return len(self._unwritten)

    def _keep(self, body: "record.Event | record.Window") -> None:
        """Into the log; if the flash refuses, into a short queue, so that the task that brought it goes on."""
        self._unwritten.append(body)
        if len(self._unwritten) > _UNWRITTEN_MAX:
            self.lost += 1
            self._say("log: a record is lost, the flash takes none")
            self._unwritten.pop(0)
        self.write()

    def _event(self, code: int, point: "int | None", values) -> record.Event:  # type: ignore[no-untyped-def]
        now = self._clock
        uptime_ms = now.uptime_ms()
        unix_ms = now.unix_ms(uptime_ms)
        return record.Event(
            None if unix_ms is None else unix_ms // 1000,
            now.boot, uptime_ms // 1000, now.source, now.error_s(), code, point, list(values),
        )  # fmt: skip


def _encoder(body):  # type: ignore[no-untyped-def]
    encode = record.encode_event if isinstance(body, record.Event) else record.encode_window
    return lambda seq: encode(seq, body)
