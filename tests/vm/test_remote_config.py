# Configurations from the gateway: taken once, on trial, given up, told; a power cut leaves the old one or the new one.
# Runs on both interpreters; the cuts are on MicroPython's LittleFS.
import json
import os

from terminal import remote_config, small_file

from protocol import checked, record
from tests.vm.cuttable import Flash, mount, new_folder

TECHNICIANS = {
    "terminal": "T0001",
    "sample_interval_s": 5,
    "buses": [
        {
            "uart": 0,
            "baud": 9600,
            "parity": "N",
            "stop": 1,
            "meters": [
                {"address": 1, "profile": "dtsu666", "point": 1, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 300}
            ],
        }
    ],
    "points": [{"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 500}],
    "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
    "uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8, "records_per_frame": 8},
}
SLOWER = b'{"sample_interval_s": 60}'
SLOWEST = b'{"sample_interval_s": 300}'
MISFIT = b'{"points": [{"number": 2, "name": "x", "kind": "other", "run_threshold_w": 0}]}'
LACKED = TECHNICIANS["buses"][0]["meters"][0]["profile"]  # type: ignore[index]


class Terminal:
    """Starts and restarts on one folder; `events` are those of all its starts."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.events: list[tuple[int, list[int]]] = []
        self.lacked = ""
        with open(folder + "/terminal.json", "w") as file:
            json.dump(TECHNICIANS, file)
        self.start()

    def start(self) -> int:
        """The sample interval that it works by."""
        self.remote = remote_config.RemoteConfig(self.folder + "/config", self.folder + "/terminal.json", self.check)
        found = self.remote.load()
        self.remote.tell(lambda code, _point, values: self.events.append((code, list(values))))
        return found.sample_interval_s  # type: ignore[no-any-return]

    def wants_start(self) -> bool:
        return self.remote.restart

    def check(self, buses, file: str) -> None:  # type: ignore[no-untyped-def]
        for one in buses:
            for meter in one.meters:
                if meter.profile == self.lacked:
                    raise checked.ConfigError(file, "profile", meter.profile, "others")


def test_a_version_is_taken_by_a_new_start_and_told_once() -> None:
    # P-96
    made = Terminal(new_folder())
    assert made.remote.version == 0
    made.remote.offer(3, SLOWER)
    assert made.wants_start()
    assert made.start() == 60
    assert made.events == [(record.CONFIG_TAKEN, [3])]
    made.remote.heard()
    assert made.start() == 60
    assert made.events == [(record.CONFIG_TAKEN, [3])]
    assert not made.remote.on_trial


def test_the_version_in_force_is_ignored_and_an_older_one_is_refused_once_a_boot() -> None:
    made = Terminal(new_folder())
    made.remote.offer(3, SLOWER)
    made.start()
    made.remote.heard()
    made.events.clear()
    for _ in range(3):
        made.remote.offer(3, SLOWEST)
        made.remote.offer(2, SLOWEST)
    assert not made.wants_start()
    assert made.events == [(record.CONFIG_REFUSED, [2, record.CONFIG_STALE, 3])]
    made.start()
    made.remote.offer(2, SLOWEST)
    assert len(made.events) == 2


def test_what_is_wrong_is_refused_with_its_reason_and_changes_nothing() -> None:
    # P-96
    made = Terminal(new_folder())
    wrong = (
        (b'{"sample_interval_s": 0}', record.CONFIG_DOCUMENT),
        (b'{"mqtt": {"host": "elsewhere", "port": 1, "keepalive_s": 1}}', record.CONFIG_DOCUMENT),
        (b'{"sample_interval_s": 5', record.CONFIG_DOCUMENT),
        (b"\xff\xfe", record.CONFIG_DOCUMENT),
        (MISFIT, record.CONFIG_MISFIT),
    )
    for version, (document, reason) in enumerate(wrong, 1):
        made.remote.offer(version, document)
        assert made.events.pop() == (record.CONFIG_REFUSED, [version, reason, 0])
    made.lacked = LACKED
    made.remote.offer(9, SLOWER)
    assert made.events.pop() == (record.CONFIG_REFUSED, [9, record.CONFIG_PROFILE, 0])
    made.lacked = ""
    assert made.start() == 5
    made.remote.offer(1, SLOWER)
    assert made.start() == 60, "a version that was refused was not taken"


def test_a_gateway_that_is_not_heard_within_the_trial_gets_the_last_version_that_passed() -> None:
    # P-97
    made = Terminal(new_folder())
    made.remote.offer(1, SLOWER)
    made.start()
    made.remote.heard()
    made.remote.offer(2, SLOWEST)
    assert made.start() == 300
    made.remote.due(3599999)
    assert not made.wants_start()
    made.remote.due(3600000)
    assert made.wants_start()
    made.events.clear()
    assert made.start() == 60
    assert made.events == [(record.CONFIG_ROLLED_BACK, [2, 1])]
    made.remote.offer(2, SLOWEST)
    assert made.events[1:] == [(record.CONFIG_REFUSED, [2, record.CONFIG_STALE, 2])], "it counts as taken"


def test_three_starts_without_the_gateway_end_a_trial() -> None:
    # P-97
    made = Terminal(new_folder())
    made.remote.offer(1, SLOWER)
    assert [made.start() for _ in range(4)] == [60, 60, 60, 5]
    assert made.events == [(record.CONFIG_TAKEN, [1]), (record.CONFIG_ROLLED_BACK, [1, 0])]
    assert made.start() == 5
    assert len(made.events) == 2


def test_what_can_not_be_worked_by_any_more_is_given_up_at_the_start() -> None:
    # a new image without the profile, or a damaged document: on trial, or passed long ago
    for passed in (False, True):
        made = Terminal(new_folder())
        made.remote.offer(7, json.dumps({"buses": TECHNICIANS["buses"], "sample_interval_s": 60}).encode())
        made.start()
        if passed:
            made.remote.heard()
        with open(made.folder + "/config/00000007", "r+b") as file:
            file.write(b"?")
        assert made.start() == 5
        assert made.events[-1] == (record.CONFIG_ROLLED_BACK, [7, 0])


def test_the_technicians_own_mistake_ends_the_start() -> None:
    made = Terminal(new_folder())
    made.lacked = LACKED
    try:
        made.start()
    except checked.ConfigError as error:
        assert error.key == "profile"
    else:
        raise AssertionError("taken")


def test_no_more_than_two_documents_are_kept() -> None:
    made = Terminal(new_folder())
    for version in range(1, 12):
        made.remote.offer(version, SLOWER)
        made.start()
        if version % 3:
            made.remote.heard()
        names = [name for name in os.listdir(made.folder + "/config") if name != "state"]
        assert len(names) <= 2, names


def test_what_could_not_be_stored_is_refused_and_never_comes_into_force() -> None:
    # P-96: the flash is full once the document is there; the next word of the gateway does not make it pass
    made = Terminal(new_folder())
    with full("state"):
        made.remote.offer(3, SLOWER)
    assert made.events == [(record.CONFIG_REFUSED, [3, record.CONFIG_NOT_STORED, 0])]
    assert (made.wants_start(), made.remote.version) == (False, 0)
    made.remote.heard()
    assert (made.start(), made.remote.version) == (5, 0)
    made.remote.offer(3, SLOWER)
    assert made.start() == 60


def test_a_flash_that_takes_nothing_costs_no_start() -> None:
    # P-97: on trial, passed or given up; what could not be stored is done again
    made = Terminal(new_folder())
    made.remote.offer(3, SLOWER)
    with full("state"):
        assert made.start() == 60
        made.remote.heard()
        assert made.remote.on_trial, "it passes when the flash takes that"
    with full("state"):
        made.remote.due(3600000)
        assert (made.wants_start(), made.remote.on_trial) == (False, True)
    made.remote.due(3600000)
    assert made.wants_start()
    assert made.start() == 5
    made.remote.offer(4, SLOWER)
    made.start()
    made.lacked = LACKED
    made.remote = remote_config.RemoteConfig(made.folder + "/config", made.folder + "/terminal.json", made.check)
    with full("state"):
        try:
            made.remote.load()
        except checked.ConfigError:
            return
    raise AssertionError("not even the technician's is right: that ends, too")


class full:  # noqa: N801  as a function is called
    """No small file of this name can be written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.write = small_file.write

    def __enter__(self) -> None:
        def write(path: str, data: bytes) -> None:
            if path.endswith(self.name):
                raise OSError(28)
            self.write(path, data)

        small_file.write = write

    def __exit__(self, *_: object) -> None:
        small_file.write = self.write


def cut_after(vfs, operations: int) -> "tuple[Terminal, bool]":  # type: ignore[no-untyped-def]
    """A terminal at version 1 that was offered 2 and had its power cut; True if it got to the end."""
    flash = Flash()
    mount(vfs, flash, new=True)
    made = Terminal("/ram")
    made.remote.offer(1, SLOWER)
    made.start()
    made.remote.heard()
    flash.operations = operations
    try:
        made.remote.offer(2, SLOWEST)
        made.start()
        made.remote.heard()
    except (OSError, checked.ConfigError):
        made.events.clear()  # what it reads makes no sense to it any more
    ended = flash.operations >= 0
    flash.operations = 1000000
    mount(vfs, flash, new=False)
    return made, ended


def test_a_power_cut_at_any_moment_leaves_the_old_one_or_the_new_one() -> None:
    # P-96: at every operation of the flash from the offer on until the trial is passed
    try:
        import vfs
    except ImportError:
        return  # LittleFS is MicroPython's
    cuts = 0
    ended = False
    seen = []
    while not ended:
        made, ended = cut_after(vfs, cuts)
        again = remote_config.RemoteConfig("/ram/config", "/ram/terminal.json", made.check)
        interval_s = again.load().sample_interval_s
        told: list[int] = []
        again.tell(lambda code, _point, _values, told=told: told.append(code))
        assert (interval_s, again.version) in ((60, 1), (300, 2)), cuts
        assert record.CONFIG_ROLLED_BACK not in told, cuts
        seen.append(again.version)
        cuts += 1
    assert cuts > 10
    assert seen == sorted(seen), "once it is in force it stays"
