"""The closed list of reasons for which a frame is not taken (SPEC.md, section 7)."""

INCOMPLETE = "incomplete"
MALFORMED = "malformed"
UNKNOWN = "unknown"
REFUSED = "refused"

# reason: (verdict, what is wrong and what to do next)
REASONS = {
    "truncated": (INCOMPLETE, "the frame ends early: wait for the rest, or ask for it again"),
    "oversize": (MALFORMED, "longer than 4096 bytes: the sender must split it"),
    "trailing": (MALFORMED, "bytes follow the end of the frame"),
    "ends_early": (MALFORMED, "the payload ends before its content does"),
    "tag": (MALFORMED, "not a COSE_Mac0: it must begin with tag 17 (0xd1)"),
    "type": (MALFORMED, "another CBOR type stands where SPEC.md asks for a certain one"),
    "range": (MALFORMED, "a number is outside its bound"),
    "count": (MALFORMED, "an array has too few or too many items"),
    "not_shortest": (MALFORMED, "a number or length is not in its shortest form (RFC 8949, 4.2.1)"),
    "indefinite": (MALFORMED, "indefinite lengths are not allowed (RFC 8949, 4.2.1)"),
    "reserved": (MALFORMED, "reserved CBOR additional information 28 to 30"),
    "float": (MALFORMED, "floating point is never on this wire"),
    "duplicate_key": (MALFORMED, "a header key stands twice"),
    "key_order": (MALFORMED, "header keys are not in ascending order"),
    "header": (MALFORMED, "the header is not exactly {1: 5, 4: kid}, protected"),
    "not_canonical": (MALFORMED, "the same content has a shorter form that must be used"),
    "version": (UNKNOWN, "a protocol version that this decoder does not know: update it"),
    "kid": (UNKNOWN, "no key of that generation counts for this terminal: never admitted, or its time is over"),
    "terminal": (UNKNOWN, "the terminal is not registered: an operator must admit it"),
    "record_type": (UNKNOWN, "a record type that this decoder does not know: update it"),
    "kind": (UNKNOWN, "a kind of message to a terminal that this decoder does not know: update it"),
    "algorithm": (REFUSED, "only HMAC 256/256 (5) is accepted"),
    "mac": (REFUSED, "authentication failed: altered, of another terminal, or another key"),
}


class FrameError(Exception):
    """A frame that is not taken. `reason` is a key of REASONS, `offset` the byte at which it was seen."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    @property
    def verdict(self) -> str:
        """One of `incomplete`, `malformed`, `unknown`, `refused`."""
        return REASONS[self.reason][0]

    def __str__(self) -> str:
        return "%s at byte %d: %s" % (self.reason, self.offset, REASONS[self.reason][1])
