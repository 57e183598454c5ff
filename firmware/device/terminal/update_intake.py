# Takes a release in: verifies what was offered, writes what comes, reads it back, and has it run at the next start.
# protocol/UPDATES.md, sections 2 and 3, has what comes and what is answered.
from protocol import down, p256, record, sign1, update
from protocol.checked import ConfigError, Table, base_name, read_json
from protocol.update import UpdateError
from terminal import update_slot

NOT_HERE = update.NOT_HERE
KEYS_FILE = "/" + update.KEYS_NAME  # below the board's data_dir
REPORT_BYTES = 16000  # stored between two events: four of the longest chunks
_UNFIT_MS = 10000  # between two answers to what does not fit
_HEX_DIGITS = 2 * sign1.POINT_BYTES


def load_keys(path: str) -> "dict[bytes, bytes]":
    """The points of the release keys in a file, by their ids. Raises ConfigError."""
    file = base_name(path)
    table = Table(file, "", read_json(path))
    texts = table.get("keys")
    table.done()
    allowed = "1 to %d texts of %d hex digits" % (update.KEYS_MAX, _HEX_DIGITS)
    if not isinstance(texts, list) or not 1 <= len(texts) <= update.KEYS_MAX:
        raise table.error("keys", texts, allowed)
    points = [_point(file, one, allowed) for one in texts]
    return {sign1.key_id(point): point for point in points}


def _point(file: str, text, allowed: str) -> bytes:  # type: ignore[no-untyped-def]
    try:
        point = bytes.fromhex(text)
    except (TypeError, ValueError):
        raise ConfigError(file, "keys", text, allowed)  # noqa: B904  it says what is wrong
    if len(point) != sign1.POINT_BYTES:
        raise ConfigError(file, "keys", text, allowed)
    return point


class Intake:
    """`owner` terminal.update.Update; `slots` loader.slots.Slots; `keys` of load_keys; `images` terminal.images.Images,
    None where there are none. `take` does what is done at once; `work` is an iterator that does the rest, called after
    each `owner.wake()`."""

    def __init__(self, owner, board, slots, clock, keys: "dict[bytes, bytes]", images=None) -> None:  # type: ignore[no-untyped-def]
        self._owner = owner
        self._board = board
        self._slots = slots
        self._images = images
        self._clock = clock
        self._keys = keys
        self._offer: "down.Offer | None" = None  # to be judged
        self._writer = None  # update_slot.SlotWriter, image_slot.ImageWriter: of the release that comes
        self._told = 0  # bytes that the last event told
        self._unfit_ms = -_UNFIT_MS  # uptime of the last answer to what did not fit

    def take(self, found) -> None:  # type: ignore[no-untyped-def]
        """A down.Offer, down.Chunk or down.Abort."""
        number = 0 if isinstance(found, down.Offer) else found.number
        try:
            self._take(found)
        except UpdateError as error:
            self._refuse(number, error.refusal)
        except OSError:
            self._refuse(number, update.NOT_STORED)

    def _take(self, found) -> None:  # type: ignore[no-untyped-def]
        writer = self._writer
        if isinstance(found, down.Offer):
            self._offered(found)
        elif writer is None or found.number != writer.manifest.number:
            return
        elif isinstance(found, down.Chunk):
            self._write(writer, found)
        else:
            self._drop()

    def work(self):  # type: ignore[no-untyped-def]
        """What takes long; an iterator."""
        if self._offer is not None:
            try:
                yield from self._guarded(self._judge, self._offer)  # type: ignore[no-untyped-call]
            finally:
                self._offer = None
        writer = self._writer
        if writer is not None and writer.is_whole:
            yield from self._guarded(self._finish, writer)

    def _guarded(self, do, what):  # type: ignore[no-untyped-def]
        """`do(what, number)`, whose errors are refusals of the release number[0]; 0 while it can't be believed."""
        number = [0]
        try:
            yield from do(what, number)
        except UpdateError as error:
            self._refuse(number[0], error.refusal)
        except OSError:
            self._refuse(number[0], update.NOT_STORED)

    # --- offers

    def _offered(self, found: down.Offer) -> None:
        self._slots.vouch(found.vouched)
        if self._writer is not None and found.signed == self._writer.signed:
            self._unfit(self._writer)
        elif self._offer is None:  # else one is being judged; this one is offered again
            self._offer = found
            self._owner.wake()

    def _judge(self, offer: down.Offer, number: "list[int]"):  # type: ignore[no-untyped-def]
        """Verify an offer, and make room for it: on trial there is no slot that is neither run nor gone back to."""
        if self._owner.on_trial:
            raise UpdateError(update.ON_TRIAL)
        signed = update.signed_of(offer.signed)
        yield from self._verify(signed)
        manifest = update.read_manifest(signed.payload)
        number[0] = manifest.number
        reason = update.refusal(manifest, self._here(manifest), self._slots.vouched)
        if reason:
            raise UpdateError(reason)
        self._drop()
        if manifest.kind == update.IMAGE:
            writer = self._image_writer(manifest, offer.signed)
            yield from writer.resume_steps()
        else:
            folder = self._slots.folder(self._slots.spare)
            yield from update_slot.wipe_steps(folder)
            writer = update_slot.SlotWriter(folder, manifest, offer.signed, update_slot.room(self._slots.prefix))
        self._writer = writer
        self._report(writer)

    def _image_writer(self, manifest: update.Manifest, signed: bytes):  # type: ignore[no-untyped-def]
        from terminal import image_slot  # loaded where an image comes

        return image_slot.ImageWriter(
            self._images.spare_to_write(), manifest, signed, self._board.data_dir + "/image_coming"
        )

    def _verify(self, signed: sign1.Signed):  # type: ignore[no-untyped-def]
        if signed.kid not in self._keys:
            raise UpdateError(update.KEY)
        found = False
        for one in p256.steps(self._keys[signed.kid], signed.digest, signed.signature):
            found = one is True
            yield
        if not found:
            raise UpdateError(update.SIGNATURE)

    def _here(self, manifest: update.Manifest) -> update.Here:
        room_bytes = update.PAYLOAD_BYTES_MAX
        if manifest.kind == update.IMAGE:
            if self._images is None:
                raise UpdateError(update.NO_IMAGE_SLOT)
            from terminal import image_slot

            room_bytes = image_slot.room_bytes(self._images.spare)
        now_s = None
        if self._clock.source == record.CLOCK_GATEWAY:
            now_s = self._clock.unix_ms(self._clock.uptime_ms()) // 1000
        application = update_slot.application_of(self._slots.folder(self._slots.active))
        return update.Here(self._board.name, update.LOADER, self._owner.newest_known, application, now_s, room_bytes)

    # --- chunks

    def _write(self, writer, found: down.Chunk) -> None:  # type: ignore[no-untyped-def]
        end = found.offset + len(found.content)
        if end > writer.manifest.payload_bytes:
            raise UpdateError(update.EXTRA)
        if not found.offset <= writer.stored < end:
            self._unfit(writer)
            return
        writer.write(found.content[writer.stored - found.offset :])
        if writer.is_whole or writer.stored - self._told >= REPORT_BYTES:
            self._report(writer)
        if writer.is_whole:
            self._owner.wake()

    def _finish(self, writer, number: "list[int]"):  # type: ignore[no-untyped-def]
        """All has come: read it back, and have it run."""
        number[0] = writer.manifest.number
        is_image = writer.manifest.kind == update.IMAGE
        slot = self._slots.spare
        if is_image:
            yield from writer.check_steps()
        else:
            yield from update_slot.check_steps(self._slots.folder(slot), writer.manifest.application)
        if self._writer is not writer:
            return  # an abort came meanwhile
        self._owner.expect(number[0])
        if is_image:
            self._images.take(number[0])
        else:
            self._slots.take(slot, number[0])
        self._drop()
        self._owner.restart = True

    def _refuse(self, number: int, reason: int) -> None:
        if self._writer is not None and number == self._writer.manifest.number:
            self._drop()
        self._owner.refuse(number, reason)

    def _drop(self) -> None:
        """Forget what was coming."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _unfit(self, writer) -> None:  # type: ignore[no-untyped-def]
        now_ms = self._clock.uptime_ms()
        if now_ms - self._unfit_ms >= _UNFIT_MS:
            self._unfit_ms = now_ms
            self._report(writer)

    def _report(self, writer) -> None:  # type: ignore[no-untyped-def]
        self._told = writer.stored
        values = (writer.manifest.number, writer.stored, writer.manifest.payload_bytes)
        self._owner.event(record.UPDATE_PROGRESS, values)
