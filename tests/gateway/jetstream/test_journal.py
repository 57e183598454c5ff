"""A worker's journal in a real stream says of each record what the SQLite journal says; what it can't use it names."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.files import write_secret
from gateway.jetstream import stream
from gateway.jetstream.journal import StreamJournal
from gateway.journal.journal import Journal
from hil.authority import Authority
from hil.nats import Nats
from protocol.frame import open_frame
from tests.gateway.jetstream.support import NATS, client_of, config_of, count, frame_of, held, worker
from tests.gateway.support import (
    CONFLICT,
    NEW,
    NOW_S,
    REPEATED,
    Sender,
    accept,
    batch_of,
    commit,
    event,
    reading,
    window,
)


def test_a_record_is_in_the_stream_once_with_the_frame_that_brought_it(nats: Nats) -> None:
    """P-220: (terminal, epoch, seq) is a message, once; its frame is kept as it came and proves it (S-24)."""
    config, sender = config_of(nats), Sender()
    first, other = worker(config), worker(config)
    alone, two = sender.frame([window(1)]), sender.frame([window(2, NOW_S), event(3)])
    assert commit(first, [accept(sender, alone), accept(sender, two)]) == [[NEW], [NEW, NEW]]
    again, changed = sender.frame([window(2, NOW_S), window(1)]), sender.frame([event(3, NOW_S - 5), window(4)])
    assert commit(other, [accept(sender, again), accept(sender, changed)]) == [[REPEATED, REPEATED], [CONFLICT, NEW]]
    assert commit(first, [accept(sender, alone)] * 2) == [[REPEATED], [REPEATED]]
    found = held(config, "T0001", 7, 1)
    assert found is not None
    assert found.frame == alone
    found = held(config, "T0001", 7, 3)
    assert found is not None
    assert found.frame is None
    frame = frame_of(config, "T0001", found.frame_digest)
    assert frame == two
    assert [one.seq for one in open_frame(frame, "T0001", {1: sender.key}).records] == [2, 3]
    for one in (first, other):
        one.close()


def test_a_record_that_cant_be_true_never_reaches_the_stream(nats: Nats) -> None:
    """P-220: what verify refuses is refused, its neighbours in the frame are taken; findings are counted."""
    config, sender = config_of(nats), Sender()
    journal = worker(config)
    frame = sender.frame([window(1), window(2, NOW_S + 900 * 200), window(3, NOW_S, [reading(), reading()])])
    batch = batch_of([accept(sender, frame)])
    committed = journal.commit(batch)
    journal.close()
    assert list(committed.outcomes) == [1, 4, 1]
    assert committed.findings == {"time_far_in_future": 1, "time_in_future": 1, "point_unknown": 1}
    assert held(config, "T0001", 7, 2) is None


_RECORDS = [window(1), window(1, NOW_S), event(2), event(2, NOW_S - 1), window(3), window(4, NOW_S - 1800)]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.lists(
        st.lists(st.lists(st.sampled_from(range(len(_RECORDS))), min_size=1, max_size=3, unique=True), max_size=3),
        max_size=6,
    )
)
def test_any_frames_over_two_workers_come_to_what_they_come_to_in_sqlite(
    nats: Nats, batches: list[list[list[int]]]
) -> None:
    """P-221: new, repeated or conflict, whichever worker takes it: the same as one SQLite journal says."""
    config, sender = config_of(nats), Sender()
    workers = [worker(config), worker(config)]
    with tempfile.TemporaryDirectory() as name:
        sqlite = Journal(Path(name), VerifyConfig())
        for number, frames in enumerate(batches):
            sealed = [accept(sender, sender.frame([_RECORDS[one] for one in some])) for some in frames]
            assert commit(workers[number % 2], sealed) == commit(sqlite, sealed)
        sqlite.close()
    for one in workers:
        one.close()


def test_of_two_records_of_one_name_at_the_same_instant_one_is_taken(nats: Nats) -> None:
    """P-221: two workers, each with another record of the same name, both at once: one new, one conflict, each time."""
    config, sender, names = config_of(nats), Sender(), range(1, 201)
    frames = [[accept(sender, sender.frame([event(seq, at_s)])) for seq in names] for at_s in (NOW_S, NOW_S - 1)]
    workers = [worker(config), worker(config)]
    with ThreadPoolExecutor(2) as both:
        outcomes = list(both.map(commit, workers, frames))
    assert {tuple(sorted((one, other))) for (one,), (other,) in zip(*outcomes, strict=True)} == {(CONFLICT, NEW)}
    for one in workers:
        one.close()


def test_a_worker_that_has_nothing_to_do_finds_out_that_the_server_was_away(tmp_path: Path) -> None:
    """P-223: where the server has ended the connection meanwhile, the next commit is none that fails."""
    sender = Sender()
    with Nats(NATS, tmp_path) as server:
        server.start()
        journal = worker(config_of(server))
        assert commit(journal, [accept(sender, sender.frame([window(1)]))]) == [[NEW]]
        server.process.kill()
        server.start()
        journal.tidy(idle=True)
        assert commit(journal, [accept(sender, sender.frame([event(3)]))]) == [[NEW]]
        journal.close()


def refused(journal: StreamJournal, sender: Sender) -> str:
    """What a commit says that stores nothing."""
    with pytest.raises(StoreUnavailableError) as error:
        commit(journal, [accept(sender, sender.frame([window(1)]))])
    return str(error.value)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"max_msgs_per_subject": -1, "discard_new_per_subject": False}, "it takes a record more than once"),
        ({"discard": "old", "discard_new_per_subject": False}, "it discards old messages"),
        ({"storage": "memory"}, "it keeps in memory"),
        ({"retention": "interest"}, "it lets go of what was read"),
        ({"max_age": 3_600_000_000_000}, "it keeps for 0 days and not for ever"),
        ({"max_bytes": 1_000_000}, "it is limited in bytes"),
        ({"subjects": ["elsewhere.>"]}, "it takes ['elsewhere.>'] and not"),
    ],
)
def test_a_stream_that_is_not_ours_is_named_and_takes_nothing(nats: Nats, made: dict[str, object], said: str) -> None:
    """P-222."""
    config = config_of(nats)
    client, subjects = client_of(config), [f"{config.stream}.>"]
    usual = {"name": config.stream, "subjects": subjects, "storage": "file", "retention": "limits", "discard": "new"}
    limits = {"max_msgs_per_subject": 1, "discard_new_per_subject": True, "max_msgs": -1, "max_bytes": -1}
    created = stream.call(client, f"STREAM.CREATE.{config.stream}", {**usual, **limits, **made})
    assert "error" not in created, created
    journal = worker(config)
    assert said in refused(journal, Sender())
    told = stream.call(client, f"STREAM.INFO.{config.stream}")
    assert told["state"]["messages"] == 0
    stream.call(client, f"STREAM.DELETE.{config.stream}")  # mended: the same worker goes on
    assert commit(journal, [accept(Sender(), Sender().frame([window(1)]))]) == [[NEW]]
    journal.close()
    client.close()


def test_a_stream_may_keep_for_longer_than_is_wanted_and_not_for_less(nats: Nats) -> None:
    """P-222: so that keep_days changes in the files first, then at the stream, and nothing stands still."""
    config = config_of(nats)
    count(config)  # made: it keeps for ever
    client, sender = client_of(config), Sender()
    found = stream.call(client, f"STREAM.INFO.{config.stream}")["config"]
    cases = (0, 14, ""), (30, 14, ""), (14, 14, ""), (14, 30, "for 14 days and not 30"), (14, None, "not for ever")
    for days, wanted, said in cases:
        changed = stream.call(client, f"STREAM.UPDATE.{config.stream}", {**found, "max_age": days * stream.DAY_NS})
        assert "error" not in changed
        journal = worker(msgspec.structs.replace(config, keep_days=wanted))
        if said:
            assert said in refused(journal, sender)
        else:
            journal.check()
        journal.close()
    client.close()


def test_a_stream_that_is_full_takes_nothing_more_and_says_so(nats: Nats) -> None:
    """P-222: where the server has no room nothing is acknowledged."""
    config = config_of(nats)
    journal, client, sender = worker(config), client_of(config), Sender()
    assert commit(journal, [accept(sender, sender.frame([window(1)]))]) == [[NEW]]
    found = stream.call(client, f"STREAM.INFO.{config.stream}")["config"]
    assert "error" not in stream.call(client, f"STREAM.UPDATE.{config.stream}", {**found, "max_msgs": 1})
    with pytest.raises(StoreUnavailableError, match="full: maximum messages exceeded"):
        commit(journal, [accept(sender, sender.frame([window(2, NOW_S)]))])
    client.close()
    journal.close()


def test_who_is_no_journal_is_named(tmp_path: Path, nats: Nats) -> None:
    """P-222: no server, one without JetStream, one that wants another password; each in words."""
    sender = Sender()
    wrong = tmp_path / "password"
    write_secret(wrong, "wrong\n")
    login = 'authorization { user: "gateway", password: "right" }'
    with Nats(NATS, tmp_path / "closed", more=login) as closed:
        closed.start()
        journal = worker(config_of(closed, user="gateway", password_file=str(wrong)))
        assert "denied: " in refused(journal, sender)
        assert "wrong" not in refused(journal, sender)
        wrong.write_text("right\n")
        journal = worker(config_of(closed, user="gateway", password_file=str(wrong)))
        assert commit(journal, [accept(sender, sender.frame([window(1)]))]) == [[NEW]]
        closed.process.kill()
        assert "unreachable: " in refused(journal, sender)
    with Nats(NATS, tmp_path / "plain", None) as plain:
        plain.start()
        assert "no_jetstream: " in refused(worker(config_of(plain)), sender)
    config = config_of(nats, servers=[f"127.0.0.1:{closed.port}", f"127.0.0.1:{nats.port}"])
    journal = worker(config)
    assert "unreachable: " in refused(journal, sender)
    assert commit(journal, [accept(sender, sender.frame([window(1)]))]) == [[NEW]]  # the next one's turn
    assert count(config_of(nats, stream=config.stream)) == 1
    journal.close()


def test_servers_are_reached_by_tls_alone_where_they_want_it_and_are_who_they_should_be(tmp_path: Path) -> None:
    """P-222: without the authority's file, or by another authority, or under another name, nothing is sent."""
    authority, sender = Authority(), Sender()
    ca, certificate, key = authority.server_files(authority.issue("localhost"), tmp_path / "tls")
    other_ca, _, _ = Authority().server_files(authority.issue("elsewhere"), tmp_path / "other")
    more = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}'
    with Nats(NATS, tmp_path / "nats", more=more) as server:
        server.start()
        known = [f"localhost:{server.port}"]
        assert "takes TLS only" in refused(worker(config_of(server, servers=known)), sender)
        assert "certificate" in refused(worker(config_of(server, servers=known, tls_ca_file=str(other_ca))), sender)
        assert "certificate" in refused(worker(config_of(server, tls_ca_file=str(ca))), sender)
        journal = worker(config_of(server, servers=known, tls_ca_file=str(ca)))
        many = [accept(sender, sender.frame([window(seq, NOW_S - 900 * seq)])) for seq in range(1, 200)]
        assert commit(journal, many) == [[NEW]] * len(many)
        journal.close()
