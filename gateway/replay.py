"""Refused frames through the pipeline again: as deliveries that no carrier waits for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.intake import Delivery, Token
from gateway.pipeline import Pipeline
from gateway.quarantine.quarantine import Refused
from gateway.registry import Registry

_NO_TOKEN = (0, 0)


@dataclass(frozen=True)
class AnswersOnly:
    """In the place of a carrier: nothing comes in by it, acks go out by `answer`."""

    answer: Callable[[Sequence[tuple[str, bytes]]], int]

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """Nothing comes."""
        del count, idle_s, wait_s
        return []

    def release(self, tokens: Iterable[Token]) -> None:
        """Nobody waits."""

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Send acks; how many: the terminals of the others will send again."""
        return self.answer(messages)

    @property
    def waiting(self) -> int:
        """None."""
        return 0


def replayer(pipeline: Pipeline, registry: Callable[[], Registry]) -> Callable[[Sequence[Refused]], None]:
    """What puts frames through this pipeline, by the registry as it is then. It raises StoppedError as that does."""
    again = replace(pipeline, intake=AnswersOnly(pipeline.intake.publish_down), is_live=False)

    def replay(frames: Sequence[Refused]) -> None:
        batch = [Delivery(one.source, one.topic, one.data, one.length, _NO_TOKEN) for one in frames]
        if batch:
            again.process(batch, registry())

    return replay
