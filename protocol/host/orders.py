"""What goes down to a terminal beside acks, sealed (SPEC.md, section 5; UPDATES.md); down.py opens it."""

from protocol import cbor, limits, mac


def seal_request(
    key: mac.Key, terminal: str, epoch: int, ranges: "list[tuple[int, int]]", echo: "tuple[int, int]"
) -> bytes:
    """The authenticated request. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, request_payload(epoch, ranges, echo))


def seal_configuration(key: mac.Key, terminal: str, version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    """The authenticated configuration. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, configuration_payload(version, document, echo))


def request_payload(epoch: int, ranges: "list[tuple[int, int]]", echo: "tuple[int, int]") -> bytes:
    """What is sealed of a request. Raises ValueError where it would pass a bound."""
    if not 1 <= len(ranges) <= limits.ACK_RANGES_MAX:
        raise ValueError("a request has 1 to %d ranges" % limits.ACK_RANGES_MAX)
    wanted = cbor.array([cbor.integers(one) for one in ranges])
    return cbor.array(_head(limits.REQUEST) + [cbor.integer(epoch), wanted, cbor.integers(echo)])


def configuration_payload(version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of a configuration. Raises ValueError where it would pass a bound."""
    return _numbered(limits.CONFIGURATION, version, document, echo)


def certificates_payload(version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of certificates. Raises ValueError where it would pass a bound."""
    return _numbered(limits.CERTIFICATES, version, document, echo)


def _numbered(kind: int, version: int, document: bytes, echo: "tuple[int, int]") -> bytes:
    if not 1 <= version <= limits.UINT32_MAX:
        raise ValueError("a document's version is 1 to %d" % limits.UINT32_MAX)
    if not limits.DOCUMENT_BYTES_MIN <= len(document) <= limits.DOCUMENT_BYTES_MAX:
        raise ValueError("a document of %d bytes: at most %d" % (len(document), limits.DOCUMENT_BYTES_MAX))
    return cbor.array(_head(kind) + [cbor.integer(version), cbor.bstr(document), cbor.integers(echo)])


def key_offer_payload(offered: int, point: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of an offer of a key. Raises ValueError where it would pass a bound."""
    if not 1 <= offered <= limits.GENERATION_MAX or len(point) != limits.POINT_BYTES:
        raise ValueError("a generation is 1 to %d, a point has %d bytes" % (limits.GENERATION_MAX, limits.POINT_BYTES))
    return cbor.array(_head(limits.KEY_OFFER) + [cbor.integer(offered), cbor.bstr(point), cbor.integers(echo)])


def key_use_payload(echo: "tuple[int, int]") -> bytes:
    """What is sealed, with the key that is to be used."""
    return cbor.array(_head(limits.KEY_USE) + [cbor.integers(echo)])


def seal_offer(key: mac.Key, terminal: str, vouched: int, signed: bytes, echo: "tuple[int, int]") -> bytes:
    """The authenticated offer of a release. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, offer_payload(vouched, signed, echo))


def seal_chunk(key: mac.Key, terminal: str, number: int, offset: int, content: bytes, echo: "tuple[int, int]") -> bytes:
    """An authenticated piece of a release. Raises ValueError where it would pass a bound."""
    return _seal(key, terminal, chunk_payload(number, offset, content, echo))


def seal_abort(key: mac.Key, terminal: str, number: int, echo: "tuple[int, int]") -> bytes:
    """The authenticated end of an unfinished update."""
    return _seal(key, terminal, abort_payload(number, echo))


def offer_payload(vouched: int, signed: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of an offer. Raises ValueError where it would pass a bound."""
    if not 1 <= len(signed) <= limits.SIGNED_BYTES_MAX:
        raise ValueError("a manifest of %d bytes: at most %d" % (len(signed), limits.SIGNED_BYTES_MAX))
    return cbor.array(_head(limits.OFFER) + [cbor.integer(vouched), cbor.bstr(signed), cbor.integers(echo)])


def chunk_payload(number: int, offset: int, content: bytes, echo: "tuple[int, int]") -> bytes:
    """What is sealed of a piece. Raises ValueError where it would pass a bound."""
    if not 1 <= len(content) <= limits.CHUNK_BYTES_MAX:
        raise ValueError("a chunk of %d bytes: at most %d" % (len(content), limits.CHUNK_BYTES_MAX))
    items = [cbor.integer(number), cbor.integer(offset), cbor.bstr(content), cbor.integers(echo)]
    return cbor.array(_head(limits.CHUNK) + items)


def abort_payload(number: int, echo: "tuple[int, int]") -> bytes:
    """What is sealed of an end."""
    return cbor.array(_head(limits.ABORT) + [cbor.integer(number), cbor.integers(echo)])


def _head(kind: int) -> "list[bytes]":
    return [cbor.integer(limits.VERSION), cbor.integer(kind)]


def _seal(key: mac.Key, terminal: str, payload: bytes) -> bytes:
    return mac.seal(key, mac.external_aad(terminal, limits.DOWN, limits.VERSION), payload)
