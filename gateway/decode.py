"""The decode stage: a batch of frames in, one answer a frame out, in order. The compiled decoder, and no other."""

from collections.abc import Sequence

from cext import decoder
from cext.decoder import Frame, Refusal
from gateway.registry import Registry

NOT_ADMITTED = Refusal("terminal", 0)  # a look-up, before a byte of the frame is read


def decode_batch(frames: Sequence[tuple[str, bytes]], registry: Registry) -> list[Frame | Refusal]:
    """Each (terminal, bytes) authenticated and decoded, or the reason why not. Never raises on any bytes."""
    known = [(number, one, data) for number, (name, data) in enumerate(frames) if (one := registry.get(name))]
    answers: list[Frame | Refusal] = [NOT_ADMITTED] * len(frames)
    decoded = decoder.decode_batch(
        [data for _, _, data in known], [one.id for _, one, _ in known], [one.states for _, one, _ in known]
    )
    for (number, _, _), answer in zip(known, decoded, strict=True):
        answers[number] = answer
    return answers
