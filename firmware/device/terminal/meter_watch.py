# What must not change on a meter, and what it says about itself: its number and its transformer settings, read after
# each start and each hour, and its state words, each minute. A change is an event.
#
# The identities are kept over a start, for a meter is swapped while the power is off. Another profile or address in the
# configuration is a new meter, whose number is learnt, not a change. What is learnt is told too: where the flash was
# erased, only the gateway knows what was there before. An event is told before the new identity is kept: a power cut in
# between tells it twice, never not at all.
import json

from protocol import record
from terminal import profile, small_file
from terminal.sparing import Sparing

IDENTITY_MS = 3600000
STATE_MS = 60000
RETRY_MS = 300000  # after a read that gave nothing: a meter that stays silent at it may cost its next sample

_NAMES = ("serial", "ct_milli", "pt_milli")


class Watch:
    """For all meters of a terminal. `due` and `take` around each read; on_event(code, point, values)."""

    def __init__(self, path: str, on_event) -> None:  # type: ignore[no-untyped-def]
        self.not_kept = 0  # identities that the flash refused
        self._path = path
        self._on_event = on_event
        self._known = _load(path)  # point, as text: [profile, address, circuit, serial, ct_milli, pt_milli]
        self._due_ms: "dict[tuple[int, int], int]" = {}  # (point, plan): uptime of the next read; first at once
        self._bits: "dict[int, int]" = {}  # point: its state, as it was told
        self._sparing = Sparing()

    def due(self, meter, uptime_ms: int) -> "int | None":  # type: ignore[no-untyped-def]
        # The plan that is to be read now (profile.IDENTITY or STATE), if any.
        for what in (profile.IDENTITY, profile.STATE):
            if uptime_ms >= self._due_ms.get((meter.point, what), 0) and meter.plan(what).reads:
                return what
        return None

    def take(self, meter, what: int, answers, uptime_ms: int) -> None:  # type: ignore[no-untyped-def]
        # The answers to a plan, or why there are none (bus.Bus.read).
        if isinstance(answers, int):
            self._due_ms[(meter.point, what)] = uptime_ms + RETRY_MS
        elif what == profile.IDENTITY:
            self._due_ms[(meter.point, what)] = uptime_ms + IDENTITY_MS
            self._compare(meter, meter.plan(what).decode(answers, 1, 1))
        else:
            self._due_ms[(meter.point, what)] = uptime_ms + STATE_MS
            self._state(meter.point, meter.profile.state(meter.plan(what).words(answers)), uptime_ms)

    def _state(self, point: int, bits: int, uptime_ms: int) -> None:
        before = self._bits.get(point, 0)
        if bits != before and (not bits or self._sparing.may(point, uptime_ms)):
            self._on_event(record.METER_STATE, point, [bits, before])
            self._bits[point] = bits

    def _compare(self, meter, values: "dict[str, int | None]") -> None:  # type: ignore[no-untyped-def]
        place = [meter.profile.name, meter.address, meter.circuit]
        known = self._known.get(str(meter.point), [])
        before = known[3:] if known[:3] == place else [None, None, None]
        now = [values.get(name) for name in _NAMES]
        now = [new if new is not None else old for new, old in zip(now, before)]  # what it doesn't tell has not changed
        if now == before:
            return
        if _differ(before[0], now[0]):
            self._on_event(record.METER_SWAPPED, meter.point, [before[0], now[0]])
            meter.absent = {}  # another meter may have what this one had not
        if _differ(before[1], now[1]) or _differ(before[2], now[2]):
            told = [before[1], now[1], before[2], now[2]]
            self._on_event(record.RATIO_CHANGED, meter.point, [value or 0 for value in told])
        if any(old is None and new is not None for new, old in zip(now, before)):
            self._on_event(record.METER_LEARNT, meter.point, [value or 0 for value in now])
        self._known[str(meter.point)] = place + now
        self._keep()

    def _keep(self) -> None:
        try:
            small_file.write(self._path, json.dumps(self._known).encode())
        except OSError:
            self.not_kept += 1  # the next start compares with what was kept before, and tells the change again


def _differ(before: "int | None", now: "int | None") -> bool:
    return before is not None and now is not None and before != now


def _load(path: str) -> "dict[str, list]":  # type: ignore[type-arg]
    # What was kept; nothing if there is none, or it is damaged: then all is learnt anew.
    data = small_file.read(path)
    return json.loads(data) if data else {}
