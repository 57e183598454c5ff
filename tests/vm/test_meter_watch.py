# What must not change on a meter, and what it says about itself. Runs on both interpreters.
import os

from terminal import bus, meter_watch, profile

from protocol import meter_state, record

DIRECTORY = __file__[: __file__.rindex("/")] + "/../../firmware/device/profiles"
LINE = bus.Line(2400, "E", 1)
FILE = f"test_meter_watch_{id(meter_watch)}"
HOUR_MS = 3600000


class Site:
    """One watch after another on the same file, as over starts."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, list[int]]] = []
        self.start()

    def start(self) -> None:
        self.watch = meter_watch.Watch(FILE, self._on_event)

    def _on_event(self, code: int, point: int, values: "list[int]") -> None:
        self.events.append((code, point, values))

    def taken(self, meter: bus.Meter, what: int, answers, uptime_ms: int = 0):  # type: ignore[no-untyped-def]
        # The events that these answers brought.
        self.events.clear()
        self.watch.take(meter, what, answers, uptime_ms)
        return list(self.events)


def meter(name: str, point: int = 3, address: "int | str" = "202603010012") -> bus.Meter:
    return bus.Meter(address, point, profile.load(name, DIRECTORY), (1, 1), 500, LINE)


def number(digits: str) -> "list[bytes]":
    # The answer with a meter's number, low byte first.
    return [bytes([int(digits[at : at + 2], 16) for at in range(10, -1, -2)])]


def ratios(ct: int, pt: int) -> "list[bytes]":
    return [bytes((ct >> 8, ct & 255, pt >> 8, pt & 255))]


def words(**changed: int) -> "list[bytes]":
    # Seven state words, low byte first.
    return [b"".join([changed.get(f"w{at}", 0).to_bytes(2, "little") for at in range(1, 8)])]


def bits(*names: str) -> int:
    return sum([1 << meter_state.NAMES.index(name) for name in names])


def learnt(serial: int, ct_milli: int = 0, pt_milli: int = 0) -> "tuple[int, int, list[int]]":
    return record.METER_LEARNT, 3, [serial, ct_milli, pt_milli]


def clean() -> None:
    if FILE in os.listdir():
        os.remove(FILE)


def test_identities_are_read_at_each_start_and_each_hour_states_each_minute() -> None:
    clean()
    site, one = Site(), meter("dlt645_3p")
    assert site.watch.due(one, 0) == profile.IDENTITY
    site.taken(one, profile.IDENTITY, number("000000000007"))
    assert site.watch.due(one, 0) == profile.STATE
    site.taken(one, profile.STATE, words())
    assert site.watch.due(one, 59999) is None
    assert site.watch.due(one, 60000) == profile.STATE
    site.taken(one, profile.STATE, words(), HOUR_MS - 1)
    assert site.watch.due(one, HOUR_MS - 1) is None
    assert site.watch.due(one, HOUR_MS) == profile.IDENTITY
    site.start()
    assert site.watch.due(one, 0) == profile.IDENTITY
    assert site.watch.due(meter("adw300", 4, 1), 0) is None  # it names neither
    clean()


def test_what_gave_nothing_is_asked_for_again_soon_but_not_at_once() -> None:
    clean()
    site, one = Site(), meter("dtsu666", 3, 1)
    assert site.taken(one, profile.IDENTITY, record.NONE_SILENT) == []
    assert site.watch.due(one, meter_watch.RETRY_MS - 1) is None
    assert site.watch.due(one, meter_watch.RETRY_MS) == profile.IDENTITY
    clean()


def test_a_swapped_meter_is_an_event_also_when_it_was_swapped_without_power() -> None:
    # S-16
    clean()
    site, one = Site(), meter("dlt645_3p")
    assert site.taken(one, profile.IDENTITY, number("202603010012")) == [learnt(202603010012)]
    assert site.taken(one, profile.IDENTITY, number("202603010012")) == []
    site.start()
    one.absent[(0, 1)] = 5
    swapped = (record.METER_SWAPPED, 3, [202603010012, 199912310001])
    assert site.taken(one, profile.IDENTITY, number("199912310001")) == [swapped]
    assert one.absent == {}
    assert site.taken(one, profile.IDENTITY, number("199912310001")) == []
    site.start()
    assert site.taken(one, profile.IDENTITY, number("199912310001")) == []
    clean()


def test_a_changed_ratio_is_an_event_with_both_before_and_now() -> None:
    # S-16
    clean()
    site, one = Site(), meter("dtsu666", 3, 1)
    assert site.taken(one, profile.IDENTITY, ratios(40, 10)) == [learnt(0, 40000, 1000)]
    changed = (record.RATIO_CHANGED, 3, [40000, 20000, 1000, 1000])
    assert site.taken(one, profile.IDENTITY, ratios(20, 10)) == [changed]
    site.start()
    assert site.taken(one, profile.IDENTITY, ratios(20, 10)) == []
    changed = (record.RATIO_CHANGED, 3, [20000, 20000, 1000, 100000])
    assert site.taken(one, profile.IDENTITY, ratios(20, 1000)) == [changed]
    clean()


def test_what_is_learnt_is_told_once_and_again_after_the_flash_was_erased() -> None:
    # P-340
    clean()
    site, one = Site(), meter("dlt645_3p")
    assert site.taken(one, profile.IDENTITY, number("202603010012")) == [learnt(202603010012)]
    site.start()
    assert site.taken(one, profile.IDENTITY, number("202603010012")) == []
    clean()
    site.start()
    assert site.taken(one, profile.IDENTITY, number("199912310001")) == [learnt(199912310001)]
    assert site.taken(one, profile.IDENTITY, number("199912310001")) == []
    clean()


def test_a_power_cut_before_it_is_kept_tells_what_is_learnt_again() -> None:
    # P-340
    clean()
    site, one = Site(), meter("dlt645_3p")
    for _ in range(2):  # the file is not there after the first one: it was cut off
        assert site.taken(one, profile.IDENTITY, number("000000000007")) == [learnt(7)]
        clean()
        site.start()
    assert site.taken(one, profile.IDENTITY, number("000000000007")) == [learnt(7)]
    clean()


def test_another_meter_in_the_configuration_is_no_change() -> None:
    clean()
    site = Site()
    site.taken(meter("dlt645_3p"), profile.IDENTITY, number("000000000001"))
    assert site.taken(meter("dlt645_3p", 3, "202603010099"), profile.IDENTITY, number("000000000002")) == [learnt(2)]
    assert site.taken(meter("dlt645_1p", 3, "202603010099"), profile.IDENTITY, number("000000000003")) == [learnt(3)]
    swapped = (record.METER_SWAPPED, 3, [3, 4])
    assert site.taken(meter("dlt645_1p", 3, "202603010099"), profile.IDENTITY, number("000000000004")) == [swapped]
    clean()


def test_what_a_meter_does_not_tell_has_not_changed() -> None:
    clean()
    site, one = Site(), meter("dlt645_3p")
    assert site.taken(one, profile.IDENTITY, [None]) == []
    assert site.taken(one, profile.IDENTITY, number("000000000001")) == [learnt(1)]
    assert site.taken(one, profile.IDENTITY, [None]) == []
    assert site.taken(one, profile.IDENTITY, [b"\xff" * 6]) == []
    assert site.taken(one, profile.IDENTITY, number("000000000002")) == [(record.METER_SWAPPED, 3, [1, 2])]
    clean()


def test_a_state_that_changes_is_an_event_with_the_bits_now_and_before() -> None:
    clean()
    site, one = Site(), meter("dlt645_3p")
    assert site.taken(one, profile.STATE, words()) == []
    lost, reverse = bits("voltage_lost_a"), bits("voltage_lost_a", "reverse_b", "current_open_c")
    assert site.taken(one, profile.STATE, words(w4=1)) == [(record.METER_STATE, 3, [lost, 0])]
    assert site.taken(one, profile.STATE, words(w4=1)) == []
    expected = (record.METER_STATE, 3, [reverse, lost])
    assert site.taken(one, profile.STATE, words(w4=1, w5=0x40, w6=0x100)) == [expected]
    assert site.taken(one, profile.STATE, words()) == [(record.METER_STATE, 3, [0, reverse])]
    assert site.taken(one, profile.STATE, words(w4=2)) == []  # under-voltage is no event of ours
    clean()


def test_a_damaged_file_or_one_that_cannot_be_written_costs_nothing_else() -> None:
    clean()
    site, one = Site(), meter("dlt645_3p")
    site.taken(one, profile.IDENTITY, number("000000000001"))
    with open(FILE, "r+b") as file:
        file.write(b"\x00")
    site.start()
    assert site.taken(one, profile.IDENTITY, number("000000000002")) == [learnt(2)]
    clean()
    site.watch = meter_watch.Watch("no/such/folder/x", site._on_event)
    site.taken(one, profile.IDENTITY, number("000000000001"))
    assert site.watch.not_kept == 1
    assert site.taken(one, profile.IDENTITY, number("000000000002")) == [(record.METER_SWAPPED, 3, [1, 2])]
