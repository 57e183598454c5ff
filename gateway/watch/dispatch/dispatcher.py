"""A thread a channel: commit, send, mark. A channel that is slow or dead delays neither the watch nor the others."""

import random
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from gateway.clock import Clock, steady_s
from gateway.database import StoreUnavailableError
from gateway.forward.backoff import Backoff
from gateway.watch.dispatch.broker import Topic
from gateway.watch.dispatch.channels import AnyChannel, Channels, EmailEntry, Hj212Entry, MqttEntry
from gateway.watch.dispatch.mail import Mail
from gateway.watch.dispatch.platform_log import PlatformLog
from gateway.watch.dispatch.post import Post
from gateway.watch.dispatch.sender import ChangesRefusedError, ChannelError, Sender
from gateway.watch.dispatch.webhook import Webhook
from gateway.watch.enterprises import Enterprise

RETRY_MIN_MS, RETRY_MAX_MS = 1_000, 300_000  # people wait for this: a server that is back is found in five minutes
MINUTE_S = 60.0
STORE_RETRY_S = 5.0
CRASH_RETRY_S = 60.0  # often enough to come back by itself, rarely enough not to fill the log
STOP_S = 15.0  # a step of a connection takes ten; a thread that needs longer ends with the process

# Called with a channel's name and what became of it: a reason and its detail; "" and "" for well again.
Said = Callable[[str, str, str], None]


def sender_of(entry: AnyChannel, clock: Clock, folder: Path, enterprises: Sequence[Enterprise]) -> Sender:
    """The channel's sender. folder: the gateway's, where its sinks have their files."""
    if isinstance(entry, Hj212Entry):
        return PlatformLog(entry, folder, enterprises)
    if isinstance(entry, EmailEntry):
        return Mail(entry, clock)
    return Topic(entry) if isinstance(entry, MqttEntry) else Webhook(entry)


class Rate:
    """How many messages may be sent now, of so many a minute. steady_s: as gateway.clock has it."""

    def __init__(self, per_minute: int, steady_s: Callable[[], float]) -> None:
        self._per_minute, self._steady_s = per_minute, steady_s
        self._sent_s: deque[float] = deque()

    def sent(self) -> None:
        """One more was."""
        self._sent_s.append(self._steady_s())

    def room(self) -> int:
        """How many may be sent now."""
        while self._sent_s and self._sent_s[0] <= self._steady_s() - MINUTE_S:
            self._sent_s.popleft()
        return max(0, self._per_minute - len(self._sent_s))

    def pause_s(self) -> float | None:
        """Until there is room; None: there is."""
        return None if self.room() else max(0.0, self._sent_s[0] + MINUTE_S - self._steady_s())


class Worker:
    """One channel at work, in a thread of its own."""

    def __init__(
        self, entry: AnyChannel, folder: Path, clock: Clock, enterprises: Sequence[Enterprise], said: Said
    ) -> None:
        self._entry, self._folder, self._clock, self._said = entry, folder, clock, said
        self._names = {one.id: one.name for one in enterprises}
        self._sender = sender_of(entry, clock, folder, enterprises)
        self._rate = Rate(entry.per_minute, steady_s)
        self._backoff = Backoff(RETRY_MIN_MS, RETRY_MAX_MS, random.SystemRandom().random)
        self._stop, self._news = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"channel-{entry.name}", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to tell."""
        self._news.set()

    def stop(self) -> None:
        """Begin to end; what is under way stays in the file."""
        self._stop.set()
        self._news.set()

    def join(self) -> None:
        """Wait for the end, for STOP_S at most."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(Post(self._folder)) as post:
                    while not self._stop.is_set():
                        self._step(post)
            except (StoreUnavailableError, sqlite3.Error) as error:
                self._said(self._entry.name, "store", str(error))
                self._stop.wait(STORE_RETRY_S)
            except Exception as error:  # noqa: BLE001  (a fault of one channel must stop neither the watch nor the others)
                self._said(self._entry.name, "crashed", f"{type(error).__name__}: {error}")
                self._stop.wait(CRASH_RETRY_S)

    def _step(self, post: Post) -> None:
        """Tell the next message, or wait for one."""
        name = self._entry.name
        self._news.clear()  # before looking: what comes meanwhile wakes us
        message = post.next(self._entry, self._names, self._rate.room())
        if message is None:
            self._news.wait(self._rate.pause_s())
            return
        refused: Mapping[str, str] = {}
        try:
            self._sender.send(message)
        except ChangesRefusedError as error:
            refused = error.reasons
        except ChannelError as error:
            if post.failed(name, message, error.reason, str(error), self._clock.now_ms()):
                self._said(name, error.reason, str(error))
            self._stop.wait(self._backoff.failed() / 1000)
            return
        self._rate.sent()  # a try that failed is bounded by the back-off
        self._backoff.worked()
        if post.confirmed(name, message, self._clock.now_ms(), refused):
            self._said(name, "", "")


class Dispatcher:
    """All channels, and the notes of what changed."""

    def __init__(
        self, folder: Path, channels: Channels, clock: Clock, enterprises: Sequence[Enterprise], said: Said
    ) -> None:
        """Raises StoreUnavailableError, NewerSchemaError."""
        self._maintenance, self._clock = channels.maintenance, clock
        self._post = Post(folder)
        self._post.begin([one.name for one in channels.channels], clock.now_ms())
        self._workers = [Worker(one, folder, clock, enterprises, said) for one in channels.channels]

    def start(self) -> None:
        """Begin to tell, in the background."""
        for one in self._workers:
            one.start()

    def note(self) -> None:
        """Note what a look changed, and have it told. Raises StoreUnavailableError."""
        if self._post.note(self._maintenance, self._clock.now_ms()):
            for one in self._workers:
                one.wake()

    def close(self) -> None:
        """End what was started."""
        for one in self._workers:
            one.stop()
        for one in self._workers:
            one.join()
        self._post.close()
