"""Rollouts at work in the running gateway: offers to who is heard, chunks to who asks, and halts where canaries fail.

One thread: the pipeline's. `learn` before a batch is acknowledged, `answer` with its acks, `step` between batches.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cext.decoder import Columns
from gateway import desk
from gateway.database import StoreUnavailableError
from gateway.downward import Down, Heard, heard_of, said_by, sealed
from gateway.journal.journal import REPEATED
from gateway.registry import Terminal
from gateway.updates import bundles, rollouts, stages
from gateway.updates.bundles import Bundle
from gateway.updates.pacing import Pacing, Window
from gateway.updates.rollouts import EVENTS, Member, Rollout
from gateway.updates.store import Store
from protocol import limits
from protocol.host import orders
from protocol.record import BOOT

# terminals that are offered a release, or load it, at a time: twice as many as there are windows for
AT_ONCE_MAX = 128
ACTIVE_MS = 600_000  # who has said nothing for so long holds up no other one
HEARD_MS_MAX = limits.ECHO_MS_MAX // 2  # a frame that is older is echoed no more

_LOADING = (stages.OFFERED, stages.DOWNLOADING)
_TO_OFFER = (stages.WAITING, stages.SILENT, *_LOADING)


class Served(NamedTuple):
    """A terminal of a rollout that is not over."""

    rollout: Rollout
    member: Member


class Desk(desk.Desk):
    """Made with the gateway's folder; commands write to its store."""

    name = "updates"

    def __init__(self, folder: Path, around: desk.Around) -> None:
        """Raises StoreUnavailableError, NewerSchemaError."""
        super().__init__(Store(folder), around)
        self._served: dict[str, Served] = {}
        self._bundles: dict[tuple[int, str], Bundle] = {}
        self._heard: dict[str, tuple[Heard, int]] = {}  # and when
        self._pacing = Pacing()
        self._began_ms = around.clock.now_ms()  # before that nobody could be heard

    def learn(self, names: Sequence[str], columns: Columns, outcomes: bytes) -> None:
        """Keep what a batch says of updates, durably; names[i] sent frame i.

        What came before is learnt again: the gateway may have died between the journal's commit and this.
        Raises StoreUnavailableError: to be called again.
        """
        codes = columns.records.code.tobytes()
        if EVENTS.isdisjoint(codes) and BOOT not in codes:
            return
        if self._stale:
            self._see()
        now_ms = self._clock.now_ms()
        said = [
            said_by(names, columns, row, now_ms)
            for row, code in enumerate(codes)
            if 0 < outcomes[row] <= REPEATED
            and (code in EVENTS or (code == BOOT and self._is_served(names, columns, row)))
        ]
        if not said:
            return
        with self._store.writing() as connection:
            heard = [rollouts.hear(connection, one) for one in sorted(said, key=lambda one: one.seq)]
        for member in filter(None, heard):
            self._note(member)

    def answer(self, terminals: Sequence[Terminal | None], columns: Columns) -> list[Down]:
        """What goes down to the terminals that this batch heard; terminals[i] sent frame i. Offers are noted before."""
        if not self._served:
            return []
        now_ms = self._clock.now_ms()
        heard = heard_of(terminals, columns, self._served.__contains__)
        self._heard |= {name: (one, now_ms) for name, one in heard.items()}
        try:
            found = self._orders(heard, now_ms)
        except StoreUnavailableError as error:
            self._fail(error)
            return []
        for name in heard:
            self._ask(name, now_ms)
        for name, window in self._pacing.grants(now_ms).items():
            found += self._chunks(name, window, now_ms)
        return found

    # --- what goes down

    def _orders(self, heard: dict[str, Heard], now_ms: int) -> list[Down]:
        """Offers that are due, and ends of what was halted. Raises StoreUnavailableError: nothing goes down."""
        offers = list(self._offers(heard, now_ms))
        ended = [name for name in heard if self._is_halted(name)]
        if not offers and not ended:
            return []
        with self._store.writing() as connection:
            members = [rollouts.offer(connection, self._served[name].member, now_ms) for name in offers]
            members += [rollouts.take_back(connection, self._served[name].member, now_ms) for name in ended]
        for member in members:
            self._note(member)
        return [self._offer(heard[name]) for name in offers] + [self._abort(heard[name]) for name in ended]

    def _offers(self, heard: dict[str, Heard], now_ms: int) -> Iterator[str]:
        """Who is to be offered its release now."""
        active = sum(
            one.member.state in _LOADING and now_ms - one.member.since_ms < ACTIVE_MS for one in self._served.values()
        )
        for name in heard:
            rollout, member = self._served[name]
            if rollout.state != stages.RUNNING or member.state not in _TO_OFFER or member.due_ms > now_ms:
                continue
            if member.state not in _LOADING:
                if active >= AT_ONCE_MAX:
                    continue
                active += 1
            yield name

    def _offer(self, heard: Heard) -> Down:
        bundle = self._bundle(heard.terminal.id)
        payload = orders.offer_payload(bundle.number, bundle.signed, heard.echo)
        return Down(heard.terminal.id, sealed(heard, payload), "offer")

    def _abort(self, heard: Heard) -> Down:
        name = heard.terminal.id
        self._pacing.end(name)
        return Down(name, sealed(heard, orders.abort_payload(self._served[name].rollout.number, heard.echo)), "abort")

    def _ask(self, name: str, now_ms: int) -> None:
        """What a terminal that was heard is to get next: all that it lacks, if what was sent last is lost."""
        if self._wants(name) and self._pacing.may_ask(name, now_ms):
            self._pacing.ask(name, self._served[name].member.stored_bytes, len(self._bundle(name).payload))

    def _wants(self, name: str) -> bool:
        """Whether a terminal is to get chunks: what it waited for may have been halted or replaced meanwhile."""
        served = self._served.get(name)
        return served is not None and (served.rollout.state, served.member.state) == (
            stages.RUNNING,
            stages.DOWNLOADING,
        )

    def _chunks(self, name: str, window: Window, now_ms: int) -> Iterator[Down]:
        heard, at_ms = self._heard.get(name, (None, 0))
        if heard is None or now_ms - at_ms > HEARD_MS_MAX or not self._wants(name):
            self._pacing.end(name)  # it will be heard again
            return
        bundle = self._bundle(name)
        for begin, end in window.chunks:
            payload = orders.chunk_payload(bundle.number, begin, bundle.payload[begin:end], heard.echo)
            yield Down(name, sealed(heard, payload), "chunk")
        self._metrics.update_bytes.inc(window.end - window.begin)

    def _bundle(self, name: str) -> Bundle:
        rollout = self._served[name].rollout
        return self._bundles[rollout.number, rollout.board]

    def _is_halted(self, name: str) -> bool:
        rollout, member = self._served[name]
        return rollout.state == stages.HALTED and member.state in _LOADING

    # --- what comes up

    def _is_served(self, names: Sequence[str], columns: Columns, row: int) -> bool:
        return names[columns.records.frame[row]] in self._served

    def _note(self, member: Member) -> None:
        """How a terminal stands from now on."""
        served = self._served.get(member.terminal)
        if served is None or served.rollout.id != member.rollout:
            return
        if member.state != served.member.state:
            self._metrics.update_states.labels(member.state).inc()
            self._metrics.update_terminals.labels(served.member.state).dec()
            self._metrics.update_terminals.labels(member.state).inc()
            self._log.info("update", terminal=member.terminal, release=served.rollout.number, state=member.state)
        if member.state not in stages.UNDER_WAY:
            self._look_at_s = 0.0  # within a second
        self._served[member.terminal] = Served(served.rollout, member)
        if member.state == served.member.state == stages.DOWNLOADING:
            self._pacing.says(member.terminal, member.stored_bytes)
        else:
            self._pacing.end(member.terminal)

    # --- between batches

    def _see(self) -> None:
        """What the store holds, as of now."""
        served: dict[str, Served] = {}
        kept: dict[tuple[int, str], Bundle] = {}
        states: Counter[str] = Counter()
        with self._store.reading() as connection:
            found = rollouts.unfinished(connection)
            for one in found:
                key = one.number, one.board
                kept[key] = self._bundles.get(key) or bundles.get(connection, *key)
                for member in rollouts.members(connection, one.id):
                    states[member.state] += 1
                    if member.stage <= one.stage:
                        served[member.terminal] = Served(one, member)
        self._served, self._bundles, self._stale = served, kept, False
        self._heard = {name: one for name, one in self._heard.items() if name in served}
        for state in stages.STATES:
            self._metrics.update_terminals.labels(state).set(states[state])
        for state in (stages.RUNNING, stages.HALTED):
            self._metrics.rollouts.labels(state).set(sum(one.state == state for one in found))

    def _look(self, now_ms: int) -> None:
        """Let each rollout go on, wait, end or halt."""
        running: dict[int, list[Served]] = {}
        for one in self._served.values():
            if one.rollout.state == stages.RUNNING:
                running.setdefault(one.rollout.id, []).append(one)
        for served in running.values():
            rollout = served[0].rollout
            standings = [
                one.member.standing._replace(since_ms=max(one.member.since_ms, self._began_ms)) for one in served
            ]
            since_ms = max(rollout.stage_ms, self._began_ms)
            quiet = stages.silent(standings, rollout.stage, since_ms, rollout.rule, now_ms)
            standings = [one._replace(state=stages.SILENT) if one.terminal in quiet else one for one in standings]
            step = stages.next_step(standings, rollout.stage, since_ms, rollout.rule, now_ms)
            if quiet or step != (rollout.state, rollout.stage, rollout.why):
                with self._store.writing() as connection:
                    rollouts.take_step(connection, rollout, now_ms, quiet, step)
                self._tell(rollout, step)
                self._stale = True
        if self._stale:
            self._see()

    def _tell(self, rollout: Rollout, step: stages.Step) -> None:
        """Say how a rollout goes on, if it does otherwise than before."""
        if step.state == stages.HALTED:
            self._metrics.rollouts_halted.inc()
            self._log.error("rollout_halted", alarm=True, rollout=rollout.id, release=rollout.number, why=step.why)
        elif step[:2] != (rollout.state, rollout.stage):
            self._log.info("rollout", rollout=rollout.id, release=rollout.number, state=step.state, stage=step.stage)
