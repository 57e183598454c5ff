# One RS-485 bus: a request out, the answer in, and nothing else ever taken for the answer.
#
# Modbus RTU answers carry no number of the request: an answer that comes late looks like one to the next request. So
# - after a try without an intact answer nothing more is asked of that unit until LATE_TIMEOUTS timeouts have passed;
#   meanwhile the other units are read, for the unit's number in an answer tells them apart;
# - whatever arrived in between is thrown away before each request, and the bus must have been quiet for 3.5 characters;
# - unit, function, byte count and CRC must be those of the request (terminal.modbus), and the reads of one profile
#   differ in length (terminal.profile), so that even a later answer to another read is not taken.
# A meter that has been silent for SILENT_AFTER polls is tried once a poll, without repeats: a dead one costs the bus at
# most one timeout out of every 1 + LATE_TIMEOUTS.
from protocol import record
from terminal import modbus

LATE_TIMEOUTS = 3  # how late an answer can be, in timeouts of its meter, after the one that was waited for
PIECE_MS = 150  # an answer in pieces: USB adapters and gateways pause for up to 120 ms
SILENT_AFTER = 3  # polls without an answer: one is noise, two are bad luck
_BYTES_MAX = 1024  # of one answer with all the noise about it; a babbling bus must not fill the heap
_QUIET_ROUNDS = 50  # a bus that never gets quiet is used all the same
_READ_BYTES = 256  # the longest Modbus RTU frame


class Meter:
    """One meter on a bus: what to ask, and how it has been answering."""

    def __init__(self, address: int, point: int, profile, ratios: "tuple[int, int]", timeout_ms: int) -> None:  # type: ignore[no-untyped-def]
        self.address = address
        self.point = point
        self.profile = profile
        self.ratios = ratios  # (CT, PT)
        self.timeout_ms = timeout_ms
        self.requests = [
            modbus.read_request(address, profile.function, block.first, block.count) for block in profile.blocks
        ]
        self.failures = 0  # polls in a row that gave nothing
        self.reason = record.NONE_NOT_SAMPLED  # of the last failure
        self.ready_ms = 0  # real time before which it must not be asked

    @property
    def silent(self) -> bool:
        return self.failures >= SILENT_AFTER


class Bus:
    """A UART with its meters. `poll` one meter at a time; `board` gives real_ms and pause_ms (boards/README.md)."""

    def __init__(self, board, uart, baud: int, meters: "list[Meter]") -> None:  # type: ignore[no-untyped-def]
        self.meters = meters
        self._board = board
        self._uart = uart
        # 3.5 characters of 11 bits, and 1.75 ms above 19200 baud (over serial line 1.02, 2.5.1.1); 1 ms for the ticks
        self._gap_ms = 38500 // baud + 1 if baud <= 19200 else 3
        self._heard_ms = board.real_ms()

    def wait_ms(self, meter: Meter) -> int:
        # Real milliseconds until the meter may be asked; 0: now.
        return max(0, meter.ready_ms - self._board.real_ms())

    async def poll(self, meter: Meter) -> "dict[str, int | None] | int":
        # All quantities of the meter, or why there are none (record.NONE_...).
        answers = []
        for request in meter.requests:
            answer = await self._ask(request, meter)
            if isinstance(answer, int):
                meter.reason = answer
                return answer
            answers.append(answer)
        return meter.profile.decode(answers, *meter.ratios)

    async def _ask(self, request: modbus.Request, meter: Meter) -> "bytes | int":
        # The registers' bytes, or why there are none.
        try:
            await self._quiet()
            self._uart.write(request.raw)
            verdict, value, unexplained = await self._answer(request, meter.timeout_ms)
        except OSError:  # an adapter that was pulled out is a bus on which all are silent
            verdict, value, unexplained = modbus.INCOMPLETE, b"", 0
        if verdict == modbus.GOT:
            return value
        if verdict == modbus.EXCEPTION:
            return record.NONE_EXCEPTION
        meter.ready_ms = self._board.real_ms() + LATE_TIMEOUTS * meter.timeout_ms
        return record.NONE_GARBLED if unexplained else record.NONE_SILENT

    async def _answer(self, request: modbus.Request, timeout_ms: int):  # type: ignore[no-untyped-def]
        # What modbus.scan says at the end: at an answer, or when it is too late for one.
        deadline_ms = self._board.real_ms() + timeout_ms
        latest_ms = deadline_ms + max(timeout_ms, 2 * PIECE_MS)  # noise without end must end
        data = bytearray()
        found = modbus.scan(data, request)
        while True:
            piece = self._uart.read(_READ_BYTES)
            now_ms = self._board.real_ms()
            if piece:
                self._heard_ms = now_ms
                data = (data + piece)[-_BYTES_MAX:]
                found = modbus.scan(data, request)
                if found[0] in (modbus.GOT, modbus.EXCEPTION):
                    return found
                deadline_ms = min(max(deadline_ms, now_ms + PIECE_MS), latest_ms)
            elif now_ms >= deadline_ms:
                return found
            else:
                await self._board.pause_ms(1)
            if now_ms >= latest_ms:
                return found

    async def _quiet(self) -> None:
        # Throw away what is there, until nothing has come for the gap between frames.
        for _ in range(_QUIET_ROUNDS):
            now_ms = self._board.real_ms()
            if self._uart.read(_READ_BYTES):
                self._heard_ms = now_ms
            elif now_ms - self._heard_ms >= self._gap_ms:
                return
            else:
                await self._board.pause_ms(self._gap_ms - (now_ms - self._heard_ms))
