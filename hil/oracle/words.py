"""How the oracle speaks of times and causes."""

from datetime import UTC, datetime

from hil.oracle.evidence import Truth


def shown(t_ms: int) -> str:
    """A virtual instant for a reader."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).strftime("%m-%d %H:%M:%SZ")


def cause(truth: Truth, from_ms: int, to_ms: int) -> str:
    """The troubles in whose time a stretch falls, the nearest words to a cause."""
    found = [one.what for one in truth.troubles if one.from_ms < to_ms and one.to_ms > from_ms]
    return ", ".join(dict.fromkeys(found))


# every code of a finding, and what it says
FINDINGS = {
    "window_lost": "windows that must have closed are not in the journal",
    "window_twice": "a window stands in the journal under two numbers",
    "window_of_no_boot": "of a start that the terminal did not have",
    "window_while_dead": "the terminal had no power at its end",
    "window_unaligned": "off the quarter of an hour, though no clock was set",
    "window_forged": "in the record table, but in no authenticated frame",
    "window_altered": "the record table says other bytes than the frame",
    "identity_twice": "(epoch, seq) stands twice in the record table",
    "record_lost": "in a kept frame, but not in the record table",
    "frame_forged": "the journal keeps a frame that no terminal has sealed",
    "journal_unreadable": "the journal's file can't be read",
    "frame_of_nobody": "the journal keeps frames of a terminal that there is not",
    "refused_of_own": "a frame was refused, though nobody has forged any",
    "meter_unread": "a meter that was not asked in a window, though the terminal lived",
    "reading_withheld": "no reading, though the meter answered",
    "reading_unexplained": "no reading, and no reason",
    "reading_while_silent": "a reading, though the meter showed nothing",
    "reading_of_no_meter": "a reading of a point that has no meter",
    "reading_stale": "an energy of another time than the reading says",
    "energy_altered": "an energy that the meter did not show",
    "power_altered": "a power that the meter did not show",
    "run_altered": "a run time that the samples do not give",
    "forward_lost": "a window that the platform did not get",
    "forward_twice": "a window that counts twice at the platform",
    "forward_altered": "a value at the platform that is not the journal's",
    "forward_invented": "something at the platform that is not in the journal",
    "upload_of_nobody": "the platform has messages of a station that there is not",
    # what the simulation sees on the way (hil/sim/checks)
    "clock_wrong": "a terminal takes something for the time that is not",
    "acknowledged_too_early": "an ack of what is not committed",
    "sealed_wrongly": "bytes that their own maker can't have sealed",
    "number_reused": "a number of the log names another record than it did",
    "freed_too_early": "a terminal freed what was not acknowledged",
    "released_too_early": "a frame is released to the broker, and on no disk",
    "evidence_lost": "a frame that was refused is in no quarantine",
    "record_of_nobody": "committed, and no terminal has made it",
    "sent_not_stored": "sent, and not on the flash",
    "backlog_first": "an older record goes out while a newer one waits",
    "forwarded_too_early": "at the platform, and not committed",
    "stuck": "things happen again and again, and time stands still",
    "meter_written": "a request to a meter that is no plain read",
    "crash": "a program ended by a fault of its own",
    "expectation_unmet": "what the scenario expects was not seen",
}
