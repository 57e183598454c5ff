"""Updates of the whole terminal on the real VM, over a real broker: one that works, and those that must not last."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from terminal import supervisor

from firmware import image
from firmware.field.update import keys
from hil.clock import ScaledClock
from protocol import record
from protocol.host import orders
from tests.firmware import over_the_air as air
from tests.firmware.gateway_double import GatewayDouble
from tests.firmware.site import KEY, NAME, START_MS
from tests.protocol.forge import bundles

pytestmark = [pytest.mark.e2e]

WORKS, CRASHES, SILENT = air.NUMBER + 1, air.NUMBER + 2, air.NUMBER + 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of the technician's application."""
    folder = tmp_path_factory.mktemp("image") / "root"
    image.build("unix", folder, (1, 0, 0), air.NUMBER)
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> keys.ReleaseKey:
    return keys.generate(tmp_path_factory.mktemp("keys") / "release.pem")


def newer(root: Path, folder: Path) -> dict[str, bytes]:
    """What a release of version 2.0.0 has otherwise."""
    image.build("unix", folder / "newer", (2, 0, 0), WORKS)
    return {"terminal/image.mpy": (folder / "newer/terminal/image.mpy").read_bytes()}


def boots(gateway: GatewayDouble) -> list[list[int]]:
    """(cause, firmware) of each start."""
    return [one.values[:2] for one in gateway.events(record.BOOT)]


def told(gateway: GatewayDouble, code: int) -> list[list[int]]:
    gateway.wait(f"event {code}", lambda: bool(gateway.events(code)))
    return [one.values for one in gateway.events(code)]


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_a_release_comes_over_the_air_runs_and_is_good(
    tmp_path: Path, root: Path, key: keys.ReleaseKey, vm: str
) -> None:
    """P-265: log, configuration and counters outlive it; it stays when the power is cut."""
    data = air.changed(root, newer(root, tmp_path), WORKS, key)
    with air.updatable(tmp_path, root, [key.point], vm) as made, made.gateway() as gateway:
        made.terminal.start()
        gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
        air.deliver(gateway, data)
        air.ended(made)
        assert told(gateway, record.UPDATE_GOOD) == [[WORKS]]
        assert told(gateway, record.UPDATE_TAKEN) == [[WORKS]]
        assert boots(gateway) == [[1, 1_000_000], [supervisor.CAUSE_UPDATE, 2_000_000]]
        made.terminal.kill()
        made.terminal.start()
        gateway.wait("a third start", lambda: len(boots(gateway)) == 3)
        assert boots(gateway)[-1] == [1, 2_000_000]
        assert [one.boot for one in gateway.events(record.BOOT)] == [1, 2, 3]
        assert len({one.epoch for one in gateway.frames}) == 1
        made.terminal.kill()


def test_an_application_that_ends_at_its_import_is_given_up_at_once(
    tmp_path: Path, root: Path, key: keys.ReleaseKey
) -> None:
    """P-264 R-23"""
    data = air.changed(root, {"terminal/app.mpy": b"no byte code"}, CRASHES, key)
    with air.updatable(tmp_path, root, [key.point]) as made, made.gateway() as gateway:
        made.terminal.start()
        gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
        air.deliver(gateway, data)
        air.ended(made)
        air.ended(made, status=1)
        assert told(gateway, record.UPDATE_ROLLED_BACK) == [[CRASHES, air.NUMBER, record.BACK_CRASHED]]
        assert boots(gateway)[-1][1] == 1_000_000
        made.terminal.kill()


def test_an_application_that_the_gateway_does_not_answer_is_given_up_after_an_hour(
    tmp_path: Path, root: Path, key: keys.ReleaseKey
) -> None:
    """P-264: while its link is up."""
    data = air.changed(root, newer(root, tmp_path), SILENT, key)
    with air.updatable(tmp_path, root, [key.point]) as made, made.gateway() as gateway:
        made.terminal.start()
        gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
        air.deliver(gateway, data)
        gateway.answering = False
        fast = ScaledClock(time.time_ns(), made.clock.now_ms(), 1200)  # from the next start on: an hour in 3 s
        made.terminal.process.env.update(fast.env())
        air.ended(made)
        air.ended(made)
        gateway.answering = True
        assert told(gateway, record.UPDATE_ROLLED_BACK) == [[SILENT, air.NUMBER, record.BACK_NO_ACK]]
        assert boots(gateway)[-1] == [supervisor.CAUSE_UPDATE, 1_000_000]
        made.terminal.kill()


def test_each_forged_release_is_refused_by_its_name(tmp_path: Path, root: Path) -> None:
    """S-22 FR-86: every threat of RFC 9124 to an image, freeze and mix-and-match, against the running terminal."""
    base = bundles.Release(best_before_s=START_MS // 1000 + 10**7)
    with air.updatable(tmp_path, root, [bundles.point_of(base.secret)]) as made, made.gateway() as gateway:
        made.terminal.start()
        gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
        refusals: list[str] = []
        for at in range(len(bundles.forgeries(base))):
            case = bundles.forgeries(replace(base, number=air.NUMBER + 10 + 10 * at))[at]
            if not case.here:  # else it needs another terminal: tests/vm/test_update_intake.py has it
                assert refused(gateway, case, len(refusals)) == case.refusal, case.comment
                refusals.append(case.refusal)
        assert len(set(refusals)) >= 12
        changed = replace(base, number=air.NUMBER + 10**6)
        assert refused_when_altered(gateway, changed, tmp_path / "root/a", len(refusals)) == "changed"
        assert not (tmp_path / "root/slots").read_bytes()[20], "the root's application is in force"
        assert boots(gateway) == [[1, 1_000_000]]
        made.terminal.kill()


def refused(gateway: GatewayDouble, case: bundles.Forgery, before: int) -> str:
    """The name of the refusal that a forgery meets, at its offer or at its content."""
    told_before = len(gateway.events(record.UPDATE_PROGRESS))
    air.offer(gateway, case.signed, case.vouched)
    gateway.wait(
        f"an answer to {case.comment}",
        lambda: (
            len(gateway.events(record.UPDATE_REFUSED)) > before
            or len(gateway.events(record.UPDATE_PROGRESS)) > told_before
        ),
    )
    if len(gateway.events(record.UPDATE_REFUSED)) == before:
        air.send(gateway, gateway.events(record.UPDATE_PROGRESS)[-1].values[0], case.payload, 0)
    return air.refusal(gateway, before + 1)


def refused_when_altered(gateway: GatewayDouble, good: bundles.Release, slot: Path, before: int) -> str:
    """The name of the refusal of a release of which a file is altered on the flash, before its last byte comes."""
    payload = good.payload()
    air.offer(gateway, good.signed())
    gateway.wait("it is taken in", lambda: gateway.events(record.UPDATE_PROGRESS)[-1].values[0] == good.number)
    air.send(gateway, good.number, payload[:-1], 0)
    gateway.wait("the last file has begun", (slot / "terminal/app.mpy").exists)
    (slot / "profiles/meter.json").write_bytes(b"[]")
    gateway.send(orders.seal_chunk(KEY, NAME, good.number, len(payload) - 1, payload[-1:], air.echo_of(gateway)))
    return air.refusal(gateway, before + 1)
