"""The emulated flash: what a power cut leaves is what was committed, at every operation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.sim.flash import BLOCK_BYTES, ENOSPC, Blocks, File, Flash, Mount
from hil.sim.loop import PowerCutError

NAMES = ("a", "b")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.binary(min_size=1, max_size=5)),
        st.tuples(st.just("replace"), st.sampled_from(NAMES), st.binary(min_size=1, max_size=5)),
        st.tuples(st.just("rename"), st.just("a"), st.just(b"")),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(b"")),
    ),
    max_size=8,
)


def opened(mount: Mount, path: str, mode: str) -> File:
    file = mount.open(path, mode)
    assert isinstance(file, File)
    return file


def play(mount: Mount, step: tuple[str, str, bytes]) -> None:
    what, path, data = step
    known = mount.listdir("")
    if what == "write":
        with opened(mount, path, "r+b" if path in known else "wb") as file:
            file.seek(0, 2)
            file.write(data)
    elif what == "replace":
        with opened(mount, path, "wb") as file:
            file.write(data)
    elif path in known:
        mount.rename("a", "b") if what == "rename" else mount.remove(path)


def snapshots(steps: list[tuple[str, str, bytes]]) -> tuple[list[dict[str, bytes]], int]:
    """The files before and after each step, and how many operations there were."""
    flash = Flash(1 << 20)
    found = [dict(flash.files)]
    for step in steps:
        play(Mount(flash), step)
        found.append(dict(flash.files))
    return found, flash.operations


def steps_done(mount: Mount, steps: list[tuple[str, str, bytes]]) -> int:
    """How many steps were done before the power failed."""
    for done, step in enumerate(steps):
        try:
            play(mount, step)
        except PowerCutError:
            return done
    raise AssertionError("the power did not fail")


@given(STEPS, st.integers(min_value=1), st.booleans())
def test_a_cut_at_any_operation_leaves_every_step_done_or_not_begun(
    steps: list[tuple[str, str, bytes]], at: int, after: bool
) -> None:
    states, operations = snapshots(steps)
    if not operations:
        return
    flash = Flash(1 << 20)
    flash.cut_in(1 + at % operations, after=after)
    mount = Mount(flash)
    flash.on_cut = mount.cut
    done = steps_done(mount, steps)
    # a file that is made or emptied to be written anew is there, empty, before its content is
    empty = {**states[done], steps[done][1]: b""}
    assert flash.files in (states[done], states[done + 1], empty)
    with pytest.raises(PowerCutError):
        mount.listdir("")


def test_what_was_not_flushed_was_never_there() -> None:
    flash = Flash(1 << 20)
    file = opened(Mount(flash), "a", "w+b")
    file.write(b"one")
    file.flush()
    file.write(b"two")
    assert flash.files["a"] == b"one"
    file.close()
    assert flash.files["a"] == b"onetwo"


def test_a_full_flash_and_one_that_refuses_are_errors_that_change_nothing() -> None:
    flash = Flash(4)
    mount = Mount(flash)
    file = opened(mount, "a", "w+b")
    file.write(b"1234")
    file.flush()
    with pytest.raises(OSError, match="a") as full:
        file.write(b"5")
    assert full.value.errno == ENOSPC
    flash.refusing = True
    with pytest.raises(OSError, match="refuses"):
        mount.rename("a", "b")
    flash.refusing = False
    assert flash.files == {"a": b"1234"}


def test_the_counters_blocks_are_torn_by_a_cut() -> None:
    flash = Flash(4)
    mount = Mount(flash)
    blocks, page = Blocks(mount), bytearray(256)
    assert (blocks.ioctl(4, 0), blocks.ioctl(5, 0)) == (2, BLOCK_BYTES)
    blocks.writeblocks(1, page, 256)
    assert flash.counters[BLOCK_BYTES + 256 : BLOCK_BYTES + 512] == page
    flash.cut_in(1, after=False)
    with pytest.raises(PowerCutError):
        blocks.ioctl(6, 1)
    assert flash.counters[BLOCK_BYTES + 256 : BLOCK_BYTES + 512] == b"\xff" * 256
    flash.cut_in(1, after=False, torn_bytes=6)
    with pytest.raises(PowerCutError):
        Blocks(Mount(flash)).writeblocks(0, page)
    assert flash.counters[:256] == bytes(6) + b"\xff" * 250
