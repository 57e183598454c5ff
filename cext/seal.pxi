"""Acks (SPEC.md, section 5): what became of a batch's records, sealed for each terminal; as protocol/ack.py encodes them."""

cdef enum:
    OUTCOME_NEW = 1  # as in cext/ledger.pxi
    OUTCOME_REPEATED = 2
    OUTCOME_CONFLICT = 3
    OUTCOME_REFUSED = 4
    REFUSED_CONFLICT = 1  # as in protocol/ack.py
    REFUSED_CONTENT = 2
    ACK = 1  # as in protocol/limits.py
    ACK_RANGES_MAX = 64
    ACK_PAYLOAD_BYTES_MAX = 2048  # 64 ranges of 11 bytes, 64 of 13, and 61 besides
    DOWN_PAYLOAD_BYTES_MAX = 4049  # FRAME_BYTES_MAX less 47: the envelope's 13 before, 34 behind

cdef struct Answer:  # a frame to be answered
    uint64_t terminal  # where its name is: frames of one terminal have one name object, or get an ack each
    uint32_t epoch
    uint32_t boot_id
    uint32_t frame

cdef struct Fate:  # of a record
    uint32_t seq
    uint32_t reason  # 0: durable

cdef struct Range:
    uint32_t first
    uint32_t last
    uint32_t reason

cdef class Ranges:
    """Ascending, disjoint ranges of one kind."""

    cdef Range *rows
    cdef size_t count

    def __cinit__(self, size_t most):
        self.rows = <Range *> calloc(most + 1, sizeof(Range))
        if self.rows == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.rows)

    cdef void add(self, const Fate *fate) noexcept nogil:
        cdef Range *last = &self.rows[self.count - 1] if self.count else NULL
        if last != NULL and fate.seq <= last.last:
            return  # said already; of two reasons one will do
        if last != NULL and fate.seq == last.last + 1 and fate.reason == last.reason:
            last.last = fate.seq
            return
        self.rows[self.count].first = self.rows[self.count].last = fate.seq
        self.rows[self.count].reason = fate.reason
        self.count += 1


cdef int by_answer(const void *a, const void *b) noexcept nogil:
    cdef const Answer *one = <const Answer *> a
    cdef const Answer *other = <const Answer *> b
    if one.terminal != other.terminal:
        return -1 if one.terminal < other.terminal else 1
    if one.epoch != other.epoch:
        return -1 if one.epoch < other.epoch else 1
    if one.boot_id != other.boot_id:
        return -1 if one.boot_id < other.boot_id else 1
    return -1 if one.frame < other.frame else 1


cdef bint same_group(const Answer *one, const Answer *other) noexcept nogil:
    return one.terminal == other.terminal and one.epoch == other.epoch and one.boot_id == other.boot_id


cdef int by_fate(const void *a, const void *b) noexcept nogil:
    cdef const Fate *one = <const Fate *> a
    cdef const Fate *other = <const Fate *> b
    if one.seq != other.seq:
        return -1 if one.seq < other.seq else 1
    return -1 if one.reason < other.reason else one.reason > other.reason


cdef size_t write_ranges(uint8_t *out, Ranges ranges, size_t begin, uint8_t items) noexcept nogil:
    """Up to 64 ranges from `begin` on, of 2 items, or of 3 with the reason."""
    cdef size_t i, end = begin + ACK_RANGES_MAX if begin + ACK_RANGES_MAX < ranges.count else ranges.count, at
    begin = begin if begin < end else end
    at = write_head(out, MAJOR_ARRAY, end - begin)
    for i in range(begin, end):
        at += write_head(out + at, MAJOR_ARRAY, items)
        at += write_head(out + at, MAJOR_UINT, ranges.rows[i].first)
        at += write_head(out + at, MAJOR_UINT, ranges.rows[i].last)
        if items == 3:
            at += write_head(out + at, MAJOR_UINT, ranges.rows[i].reason)
    return at


cdef bytes seal_down(const uint8_t *payload, size_t payload_bytes, const hmac_key_t *key, uint8_t generation, str terminal):
    """A frame that goes down (FR-10 to FR-13)."""
    cdef uint8_t out[DOWN_PAYLOAD_BYTES_MAX + 47]
    cdef uint8_t aad_head[16]
    cdef Py_ssize_t name_bytes = 0
    cdef const char *name = PyUnicode_AsUTF8AndSize(terminal, &name_bytes)
    cdef uint8_t name_head[9]
    cdef size_t at, name_head_bytes = write_head(name_head, 3, <uint64_t> name_bytes), head
    cdef sha256_t state
    memcpy(out, b"\xd1\x84\x46\xa2\x01\x05\x04\x41", 8)
    out[8] = generation
    out[9] = 0xA0
    at = 10
    hmac_begin(&state, key)
    sha256_update(&state, b"\x84\x64MAC0", 6)
    sha256_update(&state, out + 2, 7)
    head = write_head(aad_head, MAJOR_BSTR, 1 + name_head_bytes + <size_t> name_bytes + 2)
    aad_head[head] = 0x83
    sha256_update(&state, aad_head, head + 1)
    sha256_update(&state, name_head, name_head_bytes)
    sha256_update(&state, <const uint8_t *> name, <size_t> name_bytes)
    sha256_update(&state, b"\x01\x01", 2)  # down, version 1
    head = at
    at += write_head(out + at, MAJOR_BSTR, payload_bytes)
    memcpy(out + at, payload, payload_bytes)
    at += payload_bytes
    sha256_update(&state, out + head, at - head)
    out[at] = 0x58
    out[at + 1] = MAC_BYTES
    hmac_final(&state, key, out + at + 2)
    return (<char *> out)[: at + 2 + MAC_BYTES]


cdef int read_fates(Columns columns, const uint8_t *outcomes, const FrameRow *frame, Fate *fates, size_t *count) except -1:
    """What became of a frame's records, behind those that are there already."""
    cdef const RecordRow *records = columns.records.storage.rows.records
    cdef size_t row
    cdef uint8_t outcome
    for row in range(frame.first_record, frame.first_record + frame.record_count):
        outcome = outcomes[row]
        if OUTCOME_NEW <= outcome <= OUTCOME_REFUSED:
            fates[count[0]].seq = records[row].seq
            fates[count[0]].reason = (
                0 if outcome <= OUTCOME_REPEATED else REFUSED_CONFLICT if outcome == OUTCOME_CONFLICT else REFUSED_CONTENT
            )
            count[0] += 1
    return 0


cdef int seal_group(
    list acks, Ranges durable, Ranges refused, const FrameRow *newest, KeyState key, str terminal, uint64_t time_ms
) except -1:
    """As many acks as are needed to carry the ranges (FR-34); each echoes the newest frame (FR-36)."""
    cdef uint8_t payload[ACK_PAYLOAD_BYTES_MAX]
    cdef size_t begin = 0, most = durable.count if durable.count > refused.count else refused.count, at
    while begin < most:
        at = write_head(payload, MAJOR_ARRAY, 7)
        at += write_head(payload + at, MAJOR_UINT, VERSION)
        at += write_head(payload + at, MAJOR_UINT, ACK)
        at += write_head(payload + at, MAJOR_UINT, newest.epoch)
        at += write_ranges(payload + at, durable, begin, 2)
        at += write_ranges(payload + at, refused, begin, 3)
        at += write_head(payload + at, MAJOR_UINT, time_ms)
        at += write_head(payload + at, MAJOR_ARRAY, 2)
        at += write_head(payload + at, MAJOR_UINT, newest.boot_id)
        at += write_head(payload + at, MAJOR_UINT, newest.sent_ms)
        acks.append((terminal, seal_down(payload, at, &key.state, newest.generation, terminal)))
        begin += ACK_RANGES_MAX
    return 0


cdef int seal_answers(
    list acks, Columns columns, const uint8_t *outcomes, const Answer *answers, size_t count, tuple names, list keys,
    uint64_t time_ms
) except -1:
    """The acks of what one start of a terminal sent of one epoch."""
    cdef const FrameRow *frames = columns.records.storage.frames
    cdef const FrameRow *frame
    cdef const FrameRow *newest = &frames[answers[0].frame]
    cdef size_t i, most = 0, found = 0
    cdef Fate *fates
    cdef Ranges durable, refused
    for i in range(count):
        frame = &frames[answers[i].frame]
        most += frame.record_count
        if frame.sent_ms > newest.sent_ms:
            newest = frame
    durable, refused = Ranges(most), Ranges(most)
    fates = <Fate *> calloc(most + 1, sizeof(Fate))
    if fates == NULL:
        raise MemoryError
    try:
        for i in range(count):
            read_fates(columns, outcomes, &frames[answers[i].frame], fates, &found)
        if count > 1 or found > 1:
            qsort(fates, found, sizeof(Fate), by_fate)
        for i in range(found):
            (durable if fates[i].reason == 0 else refused).add(&fates[i])
    finally:
        free(fates)
    of_newest = keys[newest - frames]
    return seal_group(acks, durable, refused, newest, of_newest[newest.generation], names[answers[0].frame], time_ms)


def seal_acks(Columns columns not None, const uint8_t[::1] outcomes not None, terminals, keys, time_ms):
    """[(terminal, ack), ...] for a batch: one a terminal, epoch and start of the terminal (boot_id), more where the ranges do
    not fit one. An ack names nothing that another start sent: that may be a life that was put back (FR-36).

    outcomes: a byte a record (cext.verify.OUTCOMES); terminals, keys: as decode_columns had them. Each ack is sealed with
    the key of the newest frame that it answers, which the terminal surely has. A record is said to be durable wherever
    one that is the same is; where a batch holds its conflict too, the ack says that as well.
    """
    cdef const FrameRow *frames = columns.records.storage.frames
    cdef size_t count = columns.records.storage.frame_count, found = 0, begin, end, i
    cdef tuple names = tuple(terminals)
    cdef list of_terminals = list(keys), acks = []
    cdef Answer *answers
    if <size_t> len(names) != count or <size_t> len(of_terminals) != count:
        raise ValueError("as many terminals and keyrings as frames")
    if <size_t> outcomes.shape[0] != columns.records.count:
        raise ValueError("an outcome for each record")
    if count == 0 or columns.records.count == 0:
        return acks
    answers = <Answer *> calloc(count, sizeof(Answer))
    if answers == NULL:
        raise MemoryError
    try:
        for i in range(count):
            if frames[i].reason == OK:
                answers[found].terminal = <uint64_t> <size_t> <void *> names[i]
                answers[found].epoch = frames[i].epoch
                answers[found].boot_id = frames[i].boot_id
                answers[found].frame = <uint32_t> i
                found += 1
        qsort(answers, found, sizeof(Answer), by_answer)
        begin = 0
        while begin < found:
            end = begin + 1
            while end < found and same_group(&answers[begin], &answers[end]):
                end += 1
            seal_answers(acks, columns, &outcomes[0], &answers[begin], end - begin, names, of_terminals, time_ms)
            begin = end
    finally:
        free(answers)
    return acks


def seal_payload(KeyState key not None, int generation, str terminal not None, bytes payload not None):
    """A frame that goes down around any payload of 1 to 4,049 bytes, else ValueError: as protocol/mac.py seals it."""
    if not 1 <= generation <= 255:
        raise ValueError("a key's generation is 1 to 255")
    if not 1 <= len(payload) <= DOWN_PAYLOAD_BYTES_MAX:
        raise ValueError("a payload of %d bytes: 1 to %d" % (len(payload), DOWN_PAYLOAD_BYTES_MAX))
    return seal_down(<const uint8_t *> PyBytes_AS_STRING(payload), <size_t> len(payload), &key.state, <uint8_t> generation, terminal)
