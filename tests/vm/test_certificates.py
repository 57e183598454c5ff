# Certificates from the gateway: on trial, then in the place of the technician's files, or given up; a power cut leaves
# the old ones or the new ones. Runs on both interpreters; the cuts are on MicroPython's LittleFS. TLS itself is played:
# tests/firmware/test_terminal_certificates.py has the real one.
from terminal import certificates

from protocol import checked, der, record
from tests.vm.cuttable import Flash, mount, new_folder

OLD, NEW, OLD_AUTHORITY, NEW_AUTHORITY = (
    b"\x30\x82\x00" + bytes((size,)) + bytes(size) for size in (200, 201, 202, 203)
)
KEY = b"\x30\x01k"
DOCUMENT = NEW + OLD_AUTHORITY + NEW_AUTHORITY
BAD = b"\x30\x01?"  # what TLS does not take


class Terminal:
    """Starts and restarts on one folder, which is the board's; `events` are those of all its starts."""

    def __init__(self, folder: str, *, new: bool = True) -> None:
        self.data_dir = folder
        self.events: list[tuple[int, list[int]]] = []
        if new:
            for name, content in (("ca", OLD_AUTHORITY), ("client", OLD), ("client.key", KEY)):
                with open(folder + "/" + name + ".der", "wb") as file:
                    file.write(content)
        self.context = self.start()

    def start(self, *, uses_tls: bool = True):  # type: ignore[no-untyped-def]
        self.certificates = certificates.Certificates(self, uses_tls=uses_tls)
        self.context = self.certificates.context() if uses_tls else None  # type: ignore[no-untyped-call]
        self.certificates.tell(lambda code, _point, values: self.events.append((code, list(values))))
        return self.context

    def tls_context(self, authorities: "list[bytes]", certificate: bytes, key: bytes):  # type: ignore[no-untyped-def]
        if certificate == BAD or BAD in authorities:
            raise ValueError("invalid cert")
        return authorities, certificate, key


BEFORE = ([OLD_AUTHORITY], OLD, KEY)
AFTER = ([OLD_AUTHORITY, NEW_AUTHORITY], NEW, KEY)


def test_certificates_are_taken_by_a_new_start_and_then_stand_in_the_files() -> None:
    # FR-95 P-416
    made = Terminal(new_folder())
    assert made.context == BEFORE
    made.certificates.offer(1, DOCUMENT)
    assert made.certificates.restart
    assert made.start() == AFTER
    assert made.events == [(record.CERTIFICATES_TAKEN, [1])]
    with open(made.data_dir + "/client.der", "rb") as file:
        assert file.read() == OLD, "the files stay while it is on trial"
    made.certificates.heard()
    assert made.start() == AFTER
    assert (made.certificates.version, made.certificates.on_trial) == (1, False)
    with open(made.data_dir + "/ca.der", "rb") as file:
        assert file.read() == OLD_AUTHORITY + NEW_AUTHORITY
    with open(made.data_dir + "/ca.der", "wb") as file:
        file.write(OLD_AUTHORITY)
    assert made.start() == ([OLD_AUTHORITY], NEW, KEY), "what a technician lays is in force at once"


def test_an_ack_that_did_not_come_by_tls_proves_nothing_of_them() -> None:
    # FR-95: a technician has taken the terminal to a broker without TLS meanwhile
    made = Terminal(new_folder())
    made.certificates.offer(1, DOCUMENT)
    made.start(uses_tls=False)
    made.certificates.heard()
    assert made.certificates.on_trial
    made.certificates.due(3600000)
    assert made.start() == BEFORE


def test_a_gateway_that_is_not_heard_gets_the_old_ones_back() -> None:
    # FR-95 P-416: after an hour, or three starts
    made = Terminal(new_folder())
    made.certificates.offer(1, DOCUMENT)
    made.start()
    made.certificates.due(3600000)
    assert made.certificates.restart
    assert made.start() == BEFORE
    assert made.events[1:] == [(record.CERTIFICATES_ROLLED_BACK, [1, 0])]
    made.certificates.offer(2, DOCUMENT)
    assert [made.start() for _ in range(4)] == [AFTER, AFTER, AFTER, BEFORE]
    assert made.events[-1] == (record.CERTIFICATES_ROLLED_BACK, [2, 0])


def test_what_is_wrong_is_refused_with_its_reason_and_changes_nothing() -> None:
    # FR-95
    made = Terminal(new_folder())
    one = NEW + OLD_AUTHORITY
    wrong = (NEW, NEW + OLD_AUTHORITY * 5, one[:-1], one + b"\x30", one + b"\x04\x00", BAD + OLD_AUTHORITY, NEW + BAD)
    for version, document in enumerate(wrong, 1):
        made.certificates.offer(version, document)
        assert made.events.pop() == (record.CERTIFICATES_REFUSED, [version, record.CERTIFICATES_FORM, 0]), version
    assert not made.certificates.restart
    made.start(uses_tls=False)
    made.certificates.offer(9, DOCUMENT)
    assert made.events.pop() == (record.CERTIFICATES_REFUSED, [9, record.CERTIFICATES_NO_TLS, 0])
    made.start()
    made.certificates.offer(1, DOCUMENT)
    made.start()
    made.certificates.heard()
    made.certificates.offer(1, DOCUMENT)
    assert not made.certificates.restart
    made.start()
    made.certificates.offer(2, DOCUMENT)
    made.start()
    made.certificates.offer(1, DOCUMENT)
    assert made.events[-1] == (record.CERTIFICATES_REFUSED, [1, record.CONFIG_STALE, 2])


def test_what_was_stored_and_can_not_be_read_is_given_up() -> None:
    made = Terminal(new_folder())
    made.certificates.offer(7, DOCUMENT)
    with open(made.data_dir + "/certificates/00000007", "r+b") as file:
        file.write(b"?")
    assert made.start() == BEFORE
    assert made.events[-1] == (record.CERTIFICATES_ROLLED_BACK, [7, 0])


def test_the_technicians_own_mistake_ends_the_start() -> None:
    made = Terminal(new_folder())
    for content in (BAD, b"\x30\x05", b"-----BEGIN"):
        with open(made.data_dir + "/ca.der", "wb") as file:
            file.write(content)
        try:
            made.start()
        except checked.ConfigError as error:
            assert error.file.startswith("ca.der")
        else:
            raise AssertionError(content)


def test_certificates_are_told_apart_by_their_lengths() -> None:
    short, long = b"\x30\x03abc", b"\x30\x82\x01\x00" + bytes(256)
    assert der.split(b"") == []
    assert der.split(short + long + b"\x30\x81\x01x") == [short, long, b"\x30\x81\x01x"]
    for wrong in (b"\x30", b"\x30\x83\x00\x00\x01x", b"\x30\x80\x00\x00", b"\x31\x00", short + b"\x00"):
        try:
            der.split(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def cut_after(vfs, operations: int) -> bool:  # type: ignore[no-untyped-def]
    """Power is cut while certificates are taken, tried and put in the files' place; whether it got to the end."""
    flash = Flash()
    mount(vfs, flash, new=True)
    made = Terminal("/ram")
    flash.operations = operations
    try:
        made.certificates.offer(1, DOCUMENT)
        if made.certificates.restart:
            made.start()
            made.certificates.heard()
    except (OSError, checked.ConfigError):
        made.events.clear()  # what it reads makes no sense to it any more
    ended = flash.operations >= 0
    flash.operations = 1000000
    mount(vfs, flash, new=False)
    return ended


def test_a_power_cut_at_any_moment_leaves_certificates_that_connect() -> None:
    # P-416: at every operation of the flash; between the two files' changes the authorities of both are still believed
    try:
        import vfs
    except ImportError:
        return  # LittleFS is MicroPython's
    cuts, ended = 0, False
    while not ended:
        ended = cut_after(vfs, cuts)
        again = Terminal("/ram", new=False)
        assert again.context in (BEFORE, AFTER), cuts
        if again.context == BEFORE:
            again.certificates.offer(1, DOCUMENT)
            again.certificates.offer(2, DOCUMENT)
            assert again.start() == AFTER, cuts
        again.certificates.heard()
        assert again.start() == AFTER
        assert not again.certificates.on_trial
        cuts += 1
    assert cuts > 10
