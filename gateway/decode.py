"""The decode stage: a batch of frames in, columns out. The compiled decoder, and no other."""

from collections.abc import Sequence

from cext import decoder
from cext.decoder import REASON_NAMES, Columns, Refusal
from gateway.registry import Senders

NOT_ADMITTED = Refusal("terminal", 0)  # a look-up, before a byte of the frame is read


def decode_batch(frames: Sequence[bytes], senders: Senders) -> Columns:
    """Authenticated and decoded; frames[i] is claimed by terminals[i] of the senders. Never raises on any bytes."""
    return decoder.decode_columns(frames, senders.ids, senders.keys, digests=True)


def refusals(columns: Columns) -> dict[int, Refusal]:
    """By frame: why it is not taken, and the byte at which that was seen."""
    reasons = columns.frames.reason.tobytes()
    if not reasons.strip(b"\0"):
        return {}
    offsets = columns.frames.offset
    return {number: Refusal(REASON_NAMES[reason], offsets[number]) for number, reason in enumerate(reasons) if reason}
