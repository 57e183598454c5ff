# Which records go into the next frame, and when again: with a log in memory and a broker and a gateway that lose what
# they like. Runs on both interpreters.
from terminal import segment
from terminal.uplink import FRAME_OVERHEAD, LIVE_RECORDS

from protocol import frame, limits, mac, record
from tests.vm.uplinks import TIMEOUT_MS, Ack, Desk, Store


def test_live_records_go_first_then_the_backlog_oldest_first() -> None:
    #
    desk = Desk(Store(30), flights=100)
    frames = desk.frames()
    assert frames[0] == [27, 28, 29, 30]
    assert len(frames[0]) == LIVE_RECORDS
    assert frames[1:] == [list(range(1, 9)), list(range(9, 17)), list(range(17, 25)), [25, 26]]


def test_a_window_that_waits_for_its_time_goes_before_the_backlog_when_the_link_comes_back() -> None:
    # P-176, R-04
    desk = Desk(Store(30), flights=100)
    desk.uplink.hold_next()
    desk.store.add()
    desk.uplink.connected(session_present=False)
    assert desk.frames()[:2] == [[28, 29, 30, 31], list(range(1, 9))]
    # and when it is the gateway that comes back
    desk = Desk(Store(30), flights=2)
    desk.frames()
    desk.wait()
    desk.frames()
    desk.uplink.hold_next()
    desk.store.add()
    desk.ack(27, 28, 29, 30)
    assert desk.frame() == [31]


def test_a_window_that_waits_for_its_time_holds_up_no_other_live_record() -> None:
    # P-176, R-04
    desk = Desk(Store(30), flights=2, records=4)
    assert desk.frames() == [[27, 28, 29, 30], [1, 2, 3, 4]]
    desk.uplink.hold_next()
    desk.store.add()
    desk.ack(1, 2, 3, 4)
    desk.now += 6 * TIMEOUT_MS
    desk.ack(5)
    assert desk.frame() == [27, 28, 29, 30], "lost on the way: again before the backlog, though the newest waits"
    desk.uplink.release()
    assert desk.frame() == [31]


def test_a_new_record_overtakes_the_backlog() -> None:
    desk = Desk(Store(100), flights=100, records=2)
    assert [desk.frame() for _ in range(4)] == [[99, 100], [97, 98], [1, 2], [3, 4]]
    desk.store.add(2)
    assert [desk.frame() for _ in range(2)] == [[101, 102], [5, 6]]


def test_an_ack_counts_where_the_flash_does_not_take_it() -> None:
    # P-177: the connection goes on, and what was acknowledged is not sent again in this start
    class Full(Store):
        def acknowledge(self, ranges, epoch: int) -> int:  # type: ignore[no-untyped-def]
            super().acknowledge(ranges, epoch)
            if ranges:
                raise OSError(28)
            return 0

    desk = Desk(Full(12), flights=2, records=4)
    assert desk.frames() == [[9, 10, 11, 12], [1, 2, 3, 4]]
    assert desk.ack(*range(1, 5)) == 0
    assert desk.frames() == [[5, 6, 7, 8]]
    desk.ack(*range(5, 13))
    assert (desk.uplink.flights, desk.frames()) == (0, [])


def test_500_frames_go_out_without_any_ack_and_pubacks_free_nothing() -> None:
    #
    desk = Desk(Store(500), flights=500, records=1)
    frames = desk.frames()
    assert len(frames) == 500
    assert sorted(one[0] for one in frames) == list(range(1, 501))
    for stamp in range(1, 501):
        desk.uplink.pubacked(stamp)
    assert desk.store.pending() == list(range(1, 501))
    assert desk.uplink.flights == 500


def test_no_more_flights_than_allowed_and_an_ack_makes_room() -> None:
    desk = Desk(Store(100), flights=3, records=5)
    assert len(desk.frames()) == 3
    assert desk.uplink.flights == 3
    assert desk.ack(97, 98, 99) == 3
    assert desk.frames() == [], "a flight ends when all of it is acknowledged"
    assert desk.ack(100) == 1
    assert desk.frames() == [[11, 12, 13, 14, 15]]


def test_a_refusal_for_good_frees_and_is_counted() -> None:
    desk = Desk(Store(3))
    desk.frames()
    assert desk.uplink.acknowledged(Ack([(1, 2)], [(3, 3, 2)], 2), desk.now) == 3
    assert (desk.uplink.records_freed, desk.uplink.records_refused) == (2, 1)
    assert desk.uplink.flights == 0


def test_while_acks_come_only_the_missing_frame_is_sent_again() -> None:
    desk = Desk(Store(40), flights=6, records=8)
    frames = desk.frames()
    desk.now += 100
    for one in frames[:2] + frames[3:]:
        desk.ack(*one)
    assert desk.frames() == []
    desk.now += TIMEOUT_MS - 1
    assert desk.frames() == []
    desk.now += 1
    assert desk.frames() == [frames[2]]
    assert desk.uplink.frames_repeated == 1


def test_all_frames_that_the_broker_dropped_go_out_again_together() -> None:
    # of 40 the broker handed on 10: one time-out is waited for, not one for each of the others
    desk = Desk(Store(40), flights=64, records=1)
    sent = desk.frames()
    desk.now += 100
    desk.ack(*[one[0] for one in sent[:10]])
    again: list[list[int]] = []
    desk.now += TIMEOUT_MS
    for _ in range(30):
        one = desk.frame()
        assert one is not None
        again.append(one)
        desk.now += 1
        desk.ack(one[0])
    assert sorted(again) == sorted(sent[10:])
    assert desk.frame() is None


def test_a_frame_is_not_forgotten_because_others_are_answered_all_the_time() -> None:
    desk = Desk(Store(9), flights=6, records=8)
    frames = desk.frames()
    desk.ack(*frames[0])
    again = []
    for _ in range(20):
        desk.now += TIMEOUT_MS // 2
        desk.store.add()
        for one in desk.frames():
            if one == frames[1]:
                again.append(desk.now)
            else:
                desk.ack(*one)
    assert len(again) >= 1
    assert again[0] - 1000 <= 7 * TIMEOUT_MS


def test_a_gateway_that_is_away_is_asked_rarely_and_with_the_newest() -> None:
    desk = Desk(Store(100), flights=8, records=8)
    assert len(desk.frames()) == 8
    asked = []
    for _ in range(60):
        desk.wait()
        found = desk.frames()
        if found:
            assert found == [[97, 98, 99, 100]]
            asked.append(desk.now)
    waits = [(asked[at + 1] - asked[at]) // TIMEOUT_MS for at in range(len(asked) - 1)]
    assert asked[0] == 1000 + TIMEOUT_MS
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert waits[-1] == 32


def test_the_intervals_are_spread() -> None:
    found = []
    for jitter in (0, 128, 255):
        desk = Desk(Store(1), jitter=jitter)
        desk.frames()
        for _ in range(2):
            desk.wait()
            assert desk.frames() == [[1]]
        found.append(desk.uplink.next_ms(desk.now))
    assert found[0] == 2 * TIMEOUT_MS * 3 // 4
    assert found[1] == 2 * TIMEOUT_MS
    assert 2 * TIMEOUT_MS * 5 // 4 - 100 < found[2] < 2 * TIMEOUT_MS * 5 // 4


def test_a_new_record_is_sent_at_once_though_the_gateway_is_away() -> None:
    desk = Desk(Store(4), flights=3)
    desk.frames()
    desk.wait()
    assert desk.frames() == [[1, 2, 3, 4]]
    for seq in (5, 6):
        desk.store.add()
        assert desk.frames() == [[seq]]
    desk.store.add()
    assert desk.frames() == [], "all flights are out"
    desk.wait()
    assert desk.frames() == [[7]], "it is what the gateway is asked with"
    assert desk.uplink.flights == 3


def test_when_the_gateway_is_back_everything_gets_through() -> None:
    # what the broker has kept is acknowledged without being sent again
    desk = Desk(Store(100), flights=8, records=8)
    frames = desk.frames()
    for _ in range(4):
        desk.wait()
        desk.frames()
    sent = desk.uplink.frames_sent
    for one in frames:
        desk.now += 10
        desk.ack(*one)
    more = desk.frames()
    assert desk.uplink.frames_sent - sent == len(more) == 5
    # and what it has lost is sent again after one time-out
    for one in more[:1]:
        desk.ack(*one)
    desk.now += TIMEOUT_MS
    assert sorted(desk.frames()) == sorted(more[1:])


def test_a_new_connection_sends_again_what_the_broker_has_not_confirmed() -> None:
    desk = Desk(Store(40), records=8)
    frames = desk.frames()
    whole = list(frames)
    desk.uplink.pubacked(1)
    desk.uplink.pubacked(3)
    desk.uplink.connected(session_present=True)
    del frames[2], frames[0]
    assert desk.frames() == frames
    desk.uplink.connected(session_present=False)
    assert desk.frames() == whole


def test_the_backlog_of_a_new_connection_is_all_but_the_newest() -> None:
    desk = Desk(Store(4), records=8)
    assert desk.frames() == [[1, 2, 3, 4]]
    desk.store.add(20)
    desk.uplink.connected(session_present=False)
    assert desk.frames() == [[21, 22, 23, 24], list(range(1, 9)), list(range(9, 17)), [17, 18, 19, 20]]


def test_no_frame_is_larger_than_anyone_takes() -> None:
    #
    for frame_max in (1024, 2048, limits.FRAME_BYTES_MAX, 65535):
        store = Store()
        for at in range(60):
            store.add(1, 20 + at * 379 % 900)
        desk = Desk(store, flights=100, records=64)
        found = desk.frame(frame_max)
        seen: list[int] = []
        while found is not None:
            size = FRAME_OVERHEAD + sum(len(store.records[seq]) for seq in found)
            assert size <= min(frame_max, limits.FRAME_BYTES_MAX)
            assert len(found) <= limits.RECORDS_MAX
            assert found == sorted(found)
            seen += found
            found = desk.frame(frame_max)
        assert sorted(seen) == store.pending()


def test_a_frame_adds_no_more_than_is_reckoned_with() -> None:
    #
    records = [record.encode_event(1, record.Event(None, 1, 0, 0, 65535, 1, None, []))] * limits.RECORDS_MAX
    largest = limits.UINT32_MAX
    data = frame.seal_frame(mac.Key(bytes(32), 255), "T" * 32, largest, largest, limits.UPTIME_MS_MAX, records)
    assert len(data) - sum(len(one) for one in records) <= FRAME_OVERHEAD
    longest = segment.RECORD_BYTES_MAX
    assert longest + FRAME_OVERHEAD <= limits.FRAME_BYTES_MAX


def test_a_record_that_no_frame_of_this_broker_takes_holds_up_no_other() -> None:
    store = Store(3)
    store.add(1, 2000)
    store.add(20)
    store.add(1, 2000)
    store.add(1)
    desk = Desk(store, flights=100)
    found = [desk.frame(1024) for _ in range(30)]
    seen = sorted(seq for one in found if one for seq in one)
    assert seen == [seq for seq in range(1, 27) if seq not in (4, 25)]
    assert desk.uplink.records_too_large
    desk.uplink.connected(session_present=False)
    assert sorted(seq for one in desk.frames() for seq in one) == store.pending()


def test_damaged_records_are_left_out() -> None:
    store = Store(20)
    store.damaged = {1, 2, 7, 8, 17, 20}
    desk = Desk(store, flights=100)
    seen = sorted(seq for one in desk.frames() for seq in one)
    assert seen == [seq for seq in range(1, 21) if seq not in store.damaged]


def test_whatever_is_lost_on_the_way_in_the_end_everything_is_acknowledged() -> None:
    # and nothing is freed that was not acknowledged
    for seed in range(40):
        play(seed)


class Game:
    """A broker and a gateway that lose what they like until step 300, and nothing after it."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 7919 + 1
        self.store = Store(self.below(60))
        self.desk = Desk(self.store, 1 + self.below(10), 1 + self.below(9), self.below(256))
        self.gateway: set[int] = set()

    def below(self, bound: int) -> int:
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 10) % bound

    def step(self, step: int) -> None:
        calm = step >= 300
        if step < 200 and not self.below(4):
            self.store.add()
        if not calm and not self.below(25):
            self.desk.uplink.connected(session_present=bool(self.below(2)))
        for one in self.desk.frames():
            self.deliver(one, calm, away=not calm and bool(step // 40 % 2))
        if self.below(2):
            self.desk.wait()
        else:
            self.desk.now += self.below(3000)
        if calm:
            self.desk.now += TIMEOUT_MS

    def deliver(self, one: "list[int]", calm: bool, away: bool) -> None:
        if self.below(5):
            self.desk.uplink.pubacked(self.desk.stamps.last)
        if not away and (calm or self.below(3)):
            self.gateway.update(one)
            if calm or self.below(3):
                self.desk.ack(*one)


def play(seed: int) -> None:
    game = Game(seed)
    for step in range(400):
        game.step(step)
        assert game.store.freed <= game.gateway
        assert game.desk.uplink.flights <= game.desk.uplink._flights_max
    assert game.store.pending() == [], (seed, game.store.pending())


def test_a_frame_never_holds_records_of_two_epochs() -> None:
    # FR-22
    desk = Desk(Store(30), flights=100)
    desk.store.epoch_ends = 28
    frames = desk.frames()
    assert frames[:2] == [[29, 30], [27, 28]]
    assert sorted(seq for one in frames for seq in one) == list(range(1, 31))
    desk = Desk(Store(30), flights=100)
    desk.store.epoch_ends = 11
    for one in desk.frames():
        assert len({desk.store.epoch_of(seq)[0] for seq in one}) == 1
    desk.ack(5, 20, epoch=1)
    assert 5 in desk.store.freed
    assert 20 not in desk.store.freed, "it is of the other epoch"


def test_what_the_gateway_has_another_record_of_is_stored_again_and_other_refusals_are_freed() -> None:
    # S-08
    desk = Desk(Store(4))
    desk.frames()
    desk.uplink.acknowledged(Ack([(1, 1)], [(2, 2, 1), (3, 3, 2)], 2), desk.now)
    assert desk.store.conflicts == [((2, 2, 1), 2)]
    assert desk.uplink.records_renumbered == 1
    assert desk.uplink.records_refused == 1
    assert desk.store.pending() == [4]
