# What the gateway says, whichever way it came: authenticated, then obeyed. The only place where a record is freed, the
# clock set, a record asked for again, a configuration or a release taken.
from protocol import ack, down, limits, record
from protocol.errors import FrameError

UNMET_MAX = 16  # events a request (SPEC.md, FR-38)
_TOLD_MAX = 3  # acks of a start that the console tells: a technician waits for the first


class Answers:
    """`identity` (terminal's id, terminal.keys.Keys); `orders` (terminal.remote_config,
    terminal.certificates, terminal.update); the others are named as their modules."""

    def __init__(self, identity, clock, log, uplink, recorder, orders, say) -> None:  # type: ignore[no-untyped-def]
        self._terminal, self._keys = identity
        self._clock = clock
        self._log = log
        self._uplink = uplink
        self._recorder = recorder
        self._remote, self._certificates, self._update = orders
        self._say = say
        self.ignored = 0
        self._told = 0
        self.heard_ms: "int | None" = None  # uptime of the last fresh ack

    def take(self, data: bytes, now_ms: int, read_ms: "int | None" = None) -> bool:
        """Obey what these bytes say; False if they are not authentic. `now_ms` is real time; `read_ms` the uptime
        before which the gateway had not read the frame that it answers, if that is known."""
        try:
            found = down.open_down(data, self._terminal, self._keys.known)
        except FrameError as error:
            self._ignore(error.reason)
            return error.reason == "kind"  # authentic, but of a newer text: nothing to obey
        self._keys.heard(found.generation)
        if isinstance(found, ack.Ack):
            self._ack(found, now_ms, read_ms)
        elif not self._clock.is_fresh(found.echo):
            self._ignore("an order that answers nothing of the last %d s" % (limits.ECHO_MS_MAX // 1000))
        elif isinstance(found, down.Request):
            self._request(found)
        elif isinstance(found, (down.Configuration, down.Certificates)):
            self._document(found)
        elif isinstance(found, (down.KeyOffer, down.KeyUse)):
            self._keys.take(found)
        else:
            self._update.take(found)
        return True

    def _document(self, found) -> None:  # type: ignore[no-untyped-def]
        if self._update.on_trial is not None:  # the start that it needs would count against the release, or end it
            self._ignore("a release is on trial: to be sent again")
        elif isinstance(found, down.Configuration):
            self._remote.offer(found.version, found.document)
        else:
            self._certificates.offer(found.version, found.document)

    def _ack(self, found: ack.Ack, now_ms: int, read_ms: "int | None") -> None:
        if not self._log.knows(found.epoch):
            self._ignore("another epoch")
            return
        if not self._clock.is_of_this_start(found.echo):
            self._ignore("of another start")
            return
        if self._clock.is_fresh(found.echo):
            self._remote.heard()
            self._certificates.heard()
            self._update.heard()
            self.heard_ms = self._clock.uptime_ms()
        step_s = self._clock.heard(found.time_ms, found.echo, read_ms)
        if step_s is not None:
            self._say("clock set, step", step_s, "s, error", self._clock.error_s(), "s")
            self._recorder.event(record.CLOCK_SET, None, [step_s])
        refused = self._uplink.records_refused
        self._uplink.acknowledged(found, now_ms)
        if found.durable and self._told < _TOLD_MAX:
            self._told += 1
            newest = found.durable[-1][1]
            self._say("uplink: acknowledged by the gateway: epoch %08x record %d" % (found.epoch, newest))
        if self._uplink.records_refused > refused:
            self._say("uplink: refused by the gateway:", found.refused[:4])

    def _request(self, found: down.Request) -> None:
        if not self._log.knows(found.epoch):
            self._ignore("another epoch")
            return
        here, gone = self._log.recall(found.ranges, found.epoch)
        self._say("uplink: asked for", found.ranges[:4], "of which here", here[:4])
        self._uplink.recalled()
        newest = self._log.next_seq - 1
        unmet = [one for one in gone if one[0] <= newest]
        for first, last in unmet[:UNMET_MAX]:
            self._recorder.event(record.REQUEST_UNMET, None, [first, min(last, newest)])

    def _ignore(self, reason: str) -> None:
        self.ignored += 1
        self._say("uplink: ack ignored:", reason)
