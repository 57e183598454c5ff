"""Whatever is done to a release's bytes, it is refused by name: nothing else is raised, and nothing else is taken."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from protocol import ticket, update
from protocol.host import bundle
from tests.protocol.forge.bundles import Release, point_of
from tests.protocol.forge.tickets import Ticket

GOOD = Release()
DATA = GOOD.bundle()
POINT = point_of(GOOD.secret)
SIGNED = bytes.fromhex(Ticket().line().split()[1])


@st.composite
def altered(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes replaced by others, by more or by none."""
    begin = draw(st.integers(0, len(data)))
    end = draw(st.integers(begin, min(len(data), begin + 40)))
    return data[:begin] + draw(st.binary(max_size=40)) + data[end:]


def refusal_of(read: Callable[[], object]) -> int:
    """Of what is read; 0: it is taken."""
    try:
        read()
    except (update.UpdateError, ticket.TicketError) as error:
        return error.refusal
    return 0


@given(altered(DATA))
def test_an_altered_release_is_refused_whoever_looks(data: bytes) -> None:
    """P-260"""
    refused = refusal_of(lambda: bundle.read(data, [POINT]))
    assert refused in update.REFUSALS or data == DATA
    refused = refusal_of(lambda: bundle.read(data))  # without a key the checks behind the signature are reached
    assert refused in update.REFUSALS or bundle.read(data).payload == GOOD.payload()


@given(altered(GOOD.manifest()), altered(GOOD.index()))
def test_an_altered_manifest_or_index_is_refused_by_name(manifest: bytes, index: bytes) -> None:
    """P-260: also of what somebody signed."""
    refused = refusal_of(lambda: update.check_index(index, update.read_manifest(manifest)))
    assert refused in update.REFUSALS or index == GOOD.index()


@given(altered(SIGNED), altered(Ticket().payload()))
def test_an_altered_ticket_is_refused_by_name(signed: bytes, payload: bytes) -> None:
    """S-26 FR-88"""
    assert 0 <= refusal_of(lambda: ticket.signed_of(signed)) <= ticket.USED
    assert 0 <= refusal_of(lambda: ticket.read(payload)) <= ticket.USED
