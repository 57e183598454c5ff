"""A thief with a terminal: its key and its certificate."""

import time

from gateway.intake.deliveries import DOWN, UP
from hil.attack.house import EPOCH, OWN, STOLEN, House
from hil.attack.move import Move, Observed
from hil.bad_frames import bad_frames
from hil.bench import VM
from hil.benchmarks.processes import rss_mib
from hil.powercut.machine import copy_image
from hil.terminal import Terminal
from protocol import record

WHO = "a thief with a terminal"
FLOOD = 3_000
FLOOD_MIB = 48.0  # 2,000 frames of 4 KiB that may wait, some caches
ALARM = "log_renumbered"
SECOND_S = 1.0  # two starts that are told of one second, under one number, are one record
REVOKED_S = 70.0  # a minute, and a busy machine
GREEDY = ("#", "+/+/+", "$SYS/#", UP + "+", DOWN + "+", UP + OWN, DOWN + OWN, f"$share/workers/{UP}+")


def speaks_as_another(house: House) -> Observed:
    """By the broker, under another name; and under his own name, sealed as another's."""
    before, refused = house.windows(), sum(house.refused().values())
    with house.between() as listener, house.client(house.stolen, STOLEN) as thief:
        listener.subscribe(UP + "+")
        thief.publish(UP + OWN, house.sealed(OWN))
        thief.publish(UP + STOLEN, house.sealed(OWN))
        seen = house.wait(lambda: sum(house.refused().values()) > refused)
        through = [topic for topic, _ in listener.heard if topic == UP + OWN]
    held = seen and not through and house.windows() == before
    return Observed(
        held, f"under another's topic {len(through)} came through; sealed as another's: {house.refusals()[0]}"
    )


def listens(house: House) -> Observed:
    """To everything that he can name, while the true terminal sends and is answered."""
    with house.client(house.stolen, STOLEN) as thief, house.between() as listener:
        listener.subscribe(UP + "+", DOWN + "+")
        thief.subscribe(*GREEDY)
        house.restart_terminal()
        passed = house.wait(lambda: {UP + OWN, DOWN + OWN} <= {topic for topic, _ in listener.heard})
        listener.publish(DOWN + STOLEN, b"his own, behind all of it")
        listens = house.wait(lambda: any(topic == DOWN + STOLEN for topic, _ in thief.heard))
        foreign = [topic for topic, _ in thief.heard if OWN in topic]
    return Observed(
        passed and listens and not foreign,
        f"{len(listener.heard)} messages passed, he heard {len(foreign)} of them, and his own {listens}",
    )


def doubles_a_record(house: House) -> Observed:
    """Beside the true one: another content under a number that the journal has."""
    with house.client(house.stolen, STOLEN) as thief:
        before = house.windows()
        thief.publish(UP + STOLEN, house.sealed(seq=700_001, mean_w=1))
        house.wait(lambda: house.windows() > before)
        thief.publish(UP + STOLEN, house.sealed(seq=700_001, mean_w=9_999))
        kept = house.wait(lambda: house.refused().get("conflict", 0) > 0)
    return Observed(kept and house.windows() == before + 1, f"conflicts kept: {house.refused().get('conflict', 0)}")


def makes_up_an_epoch(house: House) -> Observed:
    """His log takes turns with the true one's: another epoch, back, and again."""
    backs = house.counter("epochs_back")
    with house.client(house.stolen, STOLEN) as thief:
        for epoch in (EPOCH, EPOCH + 1, EPOCH, EPOCH + 1):
            thief.publish(UP + STOLEN, house.sealed(epoch=epoch))
        seen = house.wait(lambda: house.counter("epochs_back") > backs)
    more = house.counter("epochs_back") - backs
    return Observed(seen, f"taken, and told as another log: {more} turns counted")


def runs_a_copy(house: House) -> Observed:
    """A copy of the true one's whole flash runs first, then both: what each says under one number is another thing."""
    starts, moved = len(house.numbers(record.BOOT)), len(house.numbers(record.LOG_RENUMBERED))
    conflicts = house.refused().get("conflict", 0)
    house.terminal.kill()
    with Terminal(VM, house.folder / "copy", house.clock, house.folder / "no.uart", "set") as copy:
        copy_image(house.terminal.image, copy.image)
        copy.start()
        heard = house.wait(lambda: len(house.numbers(record.BOOT)) > starts)
        time.sleep(SECOND_S)
        house.terminal.start()
        told = house.wait(lambda: len(house.numbers(record.LOG_RENUMBERED)) > moved)
        both = house.wait(lambda: len(house.numbers(record.BOOT)) >= starts + 2)
    kept = house.refused().get("conflict", 0) - conflicts
    alarm = f'"event": "{ALARM}"' in house.gateway.process.text()
    numbers = house.numbers()
    once = len(set(numbers)) == len(numbers)
    seen = f"the copy is heard {heard}; {kept} conflicts kept, alarm {ALARM} {alarm}"
    held = heard and told and both and kept > 0 and alarm and once
    return Observed(held, f"{seen}; the true one's start is there too {both}, each number once {once}")


def floods(house: House) -> Observed:
    """As fast as he can, under his own name; the true terminal is heard meanwhile."""
    before_mib, accepted = rss_mib(house.gateway.process.pid), house.counter("frames_accepted")
    refused = sum(house.refused().values())
    made = (data for name, data in bad_frames(house.scenario.seed, STOLEN) if name == STOLEN)
    with house.client(house.stolen, STOLEN) as thief:
        for number, data in zip(range(FLOOD), made, strict=False):
            thief.publish(UP + STOLEN, data)
            if number == FLOOD // 2:
                house.restart_terminal()
    heard = house.wait(lambda: house.counter("frames_accepted") > accepted)
    grown_mib = rss_mib(house.gateway.process.pid) - before_mib
    more = sum(house.refused().values()) - refused
    return Observed(
        heard and more > 0 and grown_mib < FLOOD_MIB,
        f"{FLOOD} frames, {more} kept as refused: {grown_mib:.1f} MiB more, the true one is heard {heard}",
    )


def goes_on_after_revocation(house: House) -> Observed:
    before = house.windows()
    with house.between("thief") as thief:
        thief.publish(UP + STOLEN, house.sealed())
    heard = house.wait(lambda: house.windows() > before)  # until then he is
    done = house.command("revoke", STOLEN)
    before = house.windows()

    def is_refused() -> bool:
        refused = sum(house.refused().values())
        with house.between("thief") as thief:  # the broker is told apart, by the authority
            thief.publish(UP + STOLEN, house.sealed())
            return house.wait(lambda: sum(house.refused().values()) > refused, 5.0)

    gone = house.wait(is_refused, REVOKED_S)
    reason = house.refusals()[0]
    return Observed(
        heard and done.status == 0 and gone and reason == "terminal",
        f"heard before {heard}; refused: {reason}; {house.windows() - before} windows meanwhile",
    )


MOVES = [
    Move(WHO, "speaks as another terminal", "S-05, S-19", "dropped, or refused", speaks_as_another),
    Move(WHO, "listens to others, joins their shares", "S-06", "hears nothing", listens),
    Move(WHO, "says something else under a number that is taken", "S-07", "both are kept, an alarm", doubles_a_record),
    Move(WHO, "goes on in a log of his own", "S-07, S-08", "taken, and told as two logs", makes_up_an_epoch),
    Move(WHO, "runs a copy of a whole terminal", "S-07, S-08", "an alarm; nothing lost or doubled", runs_a_copy),
    Move(WHO, "floods", "S-21", "bounded memory, others are heard", floods),
    Move(WHO, "goes on after revocation", "S-19", "refused within a minute", goes_on_after_revocation),
]  # fmt: skip
