# One RS-485 bus: a request out, the answer in, and nothing else ever taken for the answer.
#
# Answers carry no number of the request: one that comes late looks like one to the next request. So
# - after a try without an intact answer nothing more is asked of that address until LATE_TIMEOUTS timeouts have passed;
#   meanwhile the other meters are read, for the address in an answer tells them apart;
# - whatever arrived in between is thrown away before each request, and the bus must have been quiet;
# - all that an answer says about its request must be that of the request (the protocol's `scan`), and the reads of one
#   Modbus profile differ in length (terminal.profile), so that even a later answer to another read is not taken.
# A meter that has been silent for SILENT_AFTER polls is tried once a poll, without repeats: a dead one costs the bus at
# most one timeout out of every 1 + LATE_TIMEOUTS.
#
# Meters of one bus may differ in speed, parity and protocol. The UART is switched between them, and the bus is left
# quiet for so long that every meter on it, at its own speed, has ended what it took for a frame.
from collections import namedtuple

from protocol import record
from terminal import profile
from terminal.bus_protocol import EXCEPTION, GOT, INCOMPLETE, MORE, NO_SUCH_DATA

LATE_TIMEOUTS = 3  # how late an answer can be, in timeouts of its meter, after the one that was waited for
SILENT_AFTER = 3  # polls without an answer: one is noise, two are bad luck
ABSENT_MS = 900000  # what a meter says that it has not is asked for again after a window
_SWITCH_MS = 20  # of quiet after a switch of the UART
_BYTES_MAX = 1024  # of one answer with all the noise about it; a babbling bus must not fill the heap
_QUIET_ROUNDS = 50  # a bus that never gets quiet is used all the same
_READ_BYTES = 256  # the longest Modbus RTU frame; DL/T 645's has 216
_PARTS_MAX = 4  # frames of one answer: 800 bytes, more than any item of a profile has
_ABSENT = 0  # instead of a record.NONE_...: the meter says that it has no such data

Line = namedtuple("Line", ("baud", "parity", "stop"))


class Meter:
    """One meter on a bus, or one circuit of it: what to ask, and how it has been answering."""

    def __init__(self, address, point: int, model: profile.Profile, ratios, timeout_ms: int, line, circuit=1) -> None:  # type: ignore[no-untyped-def]
        self.address = address  # as its protocol has it: Modbus a unit's number, DL/T 645 a text of 12 digits
        self.point = point
        self.profile = model
        self.ratios = ratios  # (CT, PT)
        self.timeout_ms = timeout_ms
        self.line = line
        self.circuit = circuit
        self.failures = 0  # polls in a row that gave nothing
        self.is_told = False  # that it is silent
        self.absent: "dict[tuple[int, int], int]" = {}  # (plan, read): real ms at which it is to be asked for again

    def plan(self, what: int = profile.MEASURED) -> profile.Plan:
        return self.profile.plan(what, self.circuit)

    @property
    def silent(self) -> bool:
        return self.failures >= SILENT_AFTER


class Bus:
    """A UART with its meters. `read` one meter at a time; `board` gives real_ms and pause_ms (boards/README.md)."""

    def __init__(self, board, uart, line: Line, meters: "list[Meter]") -> None:  # type: ignore[no-untyped-def]
        self.meters = meters
        self._board = board
        self._uart = uart
        self._line = line  # as the UART now is
        self._gap_ms = max([_gap_ms(one.baud) for one in [line] + [meter.line for meter in meters]])
        self._quiet_since_ms = self.begun_ms = board.real_ms()  # begun: when its meters were begun with last
        self._late: "dict[object, tuple[int, int]]" = {}  # address: real ms before which it must not be asked; why

    def wait_ms(self, meter: Meter) -> int:
        # Real milliseconds until the meter may be asked; 0: now.
        late = self._late.get(meter.address)
        return max(0, late[0] - self._board.real_ms()) if late else 0

    def reason(self, meter: Meter) -> int:
        # Why the meter, or another circuit of it, gave nothing when it was last asked (record.NONE_...).
        late = self._late.get(meter.address)
        return late[1] if late else record.NONE_NOT_SAMPLED

    async def read(self, meter: Meter, what: int = profile.MEASURED):  # type: ignore[no-untyped-def]
        # The answers to a plan's reads (profile.Plan.decode takes them), or why there are none (record.NONE_...).
        plan = meter.plan(what)
        answers: "list[bytes | None]" = []
        for number, read in enumerate(plan.reads):
            if self._is_absent(meter, what, number):
                answers.append(None)
                continue
            answer = await self._ask(meter, read)
            if not isinstance(answer, int):
                answers.append(answer)
                continue
            if answer not in (_ABSENT, record.NONE_EXCEPTION) or plan.is_needed(number):
                return answer or record.NONE_EXCEPTION
            if answer == _ABSENT:
                meter.absent[(what, number)] = self._board.real_ms() + ABSENT_MS
            answers.append(None)  # a meter may refuse what it need not have, and still tell the rest
        return answers

    async def poll(self, meter: Meter) -> "dict[str, int | None] | int":
        # All measured quantities of the meter, or why there are none.
        answers = await self.read(meter)
        if isinstance(answers, int):
            return answers
        values: "dict[str, int | None]" = meter.plan().decode(answers, *meter.ratios)
        return values

    def _is_absent(self, meter: Meter, what: int, number: int) -> bool:
        until_ms = meter.absent.get((what, number))
        return until_ms is not None and self._board.real_ms() < until_ms

    async def _ask(self, meter: Meter, read) -> "bytes | int":  # type: ignore[no-untyped-def]
        # The data, or why there are none.
        protocol = meter.profile.protocol
        request = protocol.request(meter.address, read)
        data = b""
        for part in range(1, _PARTS_MAX + 1):
            verdict, value, unexplained = await self._exchange(meter, request)
            if verdict == EXCEPTION:
                return _ABSENT if value == NO_SUCH_DATA else record.NONE_EXCEPTION
            if verdict not in (GOT, MORE):
                return self._failed(meter, record.NONE_GARBLED if unexplained else record.NONE_SILENT)
            data = data + value if data else value
            if verdict == GOT:
                self._late.pop(meter.address, None)
                return data
            request = protocol.following(request, part)
        return record.NONE_GARBLED  # it goes on and on: no answer to anything that is asked here

    def _failed(self, meter: Meter, reason: int) -> int:
        self._late[meter.address] = (self._board.real_ms() + LATE_TIMEOUTS * meter.timeout_ms, reason)
        return reason

    async def _exchange(self, meter: Meter, request):  # type: ignore[no-untyped-def]
        # What the protocol's `scan` says of all that came.
        try:
            await self._quiet(meter.line)
            self._uart.write(request.raw)
            return await self._answer(meter, request)
        except OSError:  # an adapter that was pulled out is a bus on which all are silent
            return INCOMPLETE, None, 0

    async def _answer(self, meter: Meter, request):  # type: ignore[no-untyped-def]
        # What `scan` says at the end: at an answer, or when it is too late for one.
        protocol = meter.profile.protocol
        deadline_ms = self._board.real_ms() + meter.timeout_ms
        latest_ms = deadline_ms + max(meter.timeout_ms, 2 * protocol.PIECE_MS)  # noise without end must end
        data = bytearray()
        found = protocol.scan(data, request)
        while True:
            piece = self._uart.read(_READ_BYTES)
            now_ms = self._board.real_ms()
            if piece:
                self._quiet_since_ms = now_ms
                data = (data + piece)[-_BYTES_MAX:]
                found = protocol.scan(data, request)
                if found[0] in (GOT, EXCEPTION, MORE):
                    return found
                deadline_ms = min(max(deadline_ms, now_ms + protocol.PIECE_MS), latest_ms)
            elif now_ms >= deadline_ms:
                return found
            if now_ms >= latest_ms:
                return found
            await self._board.pause_ms(1)  # also where bytes come without end: all else has its turn

    async def _quiet(self, line: Line) -> None:
        # Throw away what is there, until nothing has come for the gap between frames; first switch the UART if need be.
        gap_ms = self._gap_ms
        if line != self._line:
            self._uart.set_line(*line)
            self._line = line
            self._quiet_since_ms = self._board.real_ms()
            gap_ms = max(gap_ms, _SWITCH_MS)
        for _ in range(_QUIET_ROUNDS):
            now_ms = self._board.real_ms()
            if self._uart.read(_READ_BYTES):
                self._quiet_since_ms = now_ms
            elif now_ms - self._quiet_since_ms >= gap_ms:
                return
            else:
                await self._board.pause_ms(gap_ms - (now_ms - self._quiet_since_ms))


def _gap_ms(baud: int) -> int:
    # 3.5 characters of 11 bits, and 1.75 ms above 19200 baud (over serial line 1.02, 2.5.1.1); 1 ms for the ticks.
    return 38500 // baud + 1 if baud <= 19200 else 3
