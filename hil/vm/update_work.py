"""One start of a board that updates its application, on the VM, until the power fails or it is done:

    micropython update_work.py IMAGE RUN POINT BUNDLE [CUT]

The image is the board's root file system; in its first run the technician's application is put there. What is on trial
then passes or crashes, by RUN; then the release of BUNDLE, signed by the key of that point, is taken in. CUT:
cut_flash.Power. What is done is said in lines, before and after; update_witness.py reads them:

    B active good newest            the numbers of the releases, at the start
    P        p active good          the gateway has answered: what is on trial passes
    C        c active good          what is on trial has crashed
    T number t number               a release is taken
    END operations
"""

import sys

import cut_flash
from boards import base
from loader.slots import Slots
from terminal import small_file
from terminal.update import Update
from terminal.update_intake import Intake
from update_dump import PREFIX, ROOT_FILES, ROOT_NUMBER, number_of

from protocol import cbor, down, record, sign1, update

NOW_S = 1_790_000_000
_CRASH_EVERY = 4  # runs
_CHUNK_BYTES = 1500


class Told(Slots):
    """Says what is taken."""

    def take(self, slot: int, number: int) -> None:
        """As Slots has it."""
        print("T", number)
        Slots.take(self, slot, number)
        print("t", number)


class Board:
    """What terminal.update asks of a board and a clock."""

    name = "unix"
    source = record.CLOCK_GATEWAY
    data_dir = PREFIX[:-1]

    def real_ms(self) -> int:
        """Nothing takes time here."""
        return 0

    uptime_ms = real_ms

    def unix_ms(self, _uptime_ms: int) -> int:
        """The gateway's time."""
        return 1000 * NOW_S


def put_root() -> None:
    """The technician's application, if it is not there."""
    if small_file.read(PREFIX + "made") is not None:
        return
    for path, data in sorted(ROOT_FILES.items()):
        if "/" in path:
            small_file.make_folder(PREFIX + path.split("/")[0])
        with open(PREFIX + path, "wb") as file:
            file.write(data)
    small_file.write(PREFIX + "made", b"")


def try_out(slots: Slots, run: int) -> None:
    """What is on trial passes, or crashes."""
    if not slots.on_trial:
        return
    crashes = (run + run // 16) % _CRASH_EVERY == 0  # seeds are 16 runs apart
    print("C" if crashes else "P")
    if crashes:
        slots.crashed()
        slots.begin()
    else:
        slots.passed()
    print("c" if crashes else "p", number_of(slots, slots.active), number_of(slots, slots.good))


def bring(intake: Intake, bundle: str) -> int:
    """All of a release, as a gateway does; its number."""
    with open(bundle, "rb") as file:
        data = file.read()
    reader = cbor.Reader(data)
    reader.array(2, 2)
    begin, end = reader.bstr(1, 1024)
    signed = data[begin:end]
    begin, end = reader.bstr(1, update.PAYLOAD_BYTES_MAX)
    number: int = update.read_manifest(update.signed_of(signed).payload).number
    intake.take(down.Offer(1, 0, signed, (0, 0)))
    for _ in intake.work():  # type: ignore[no-untyped-call]
        pass
    for at in range(begin, end, _CHUNK_BYTES):
        intake.take(down.Chunk(1, number, at - begin, data[at : min(at + _CHUNK_BYTES, end)], (0, 0)))
        for _ in intake.work():  # type: ignore[no-untyped-call]
            pass
    return number


def main(image: str, run: int, point: str, bundle: str, cut: str = "") -> None:
    """Do it."""
    power = cut_flash.Power(cut)
    flash, _ = cut_flash.opened(image, power)
    base.mount(flash, PREFIX[:-1])
    put_root()
    slots = Told(PREFIX, ROOT_NUMBER)
    slots.begin()
    print("B", slots.number, number_of(slots, slots.good), slots.newest)
    try_out(slots, run)
    board = Board()
    owner = Update(board, slots, board, lambda *_: None)
    said: "list[object]" = []
    owner.tell(lambda *event: said.append(event))
    key = bytes.fromhex(point)
    number = bring(Intake(owner, board, slots, board, {sign1.key_id(key): key}), bundle)
    if not owner.restart:
        print("not taken:", number, said)
    print("END", power.operations)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
