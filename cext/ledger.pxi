"""Which records are in the journal, log by log, and the energy registers at the ends of each run of them.

A log's records are kept as extents: runs of numbers without a hole. A record that is not in any extent is new; the
records next to it in the journal are then the ends of the extents beside it, so that their registers are all that a
step has to be held against, whatever the order in which records come.
"""

cdef struct Ends:  # a point's registers that come first and last in an extent
    Registers first
    Registers last

cdef struct Extent:
    uint32_t first
    uint32_t last
    int64_t first_id
    int64_t last_id
    Ends *ends  # of points 1 to `points`
    uint32_t points

cdef struct Identity:  # of a record that the journal's index does not have yet
    uint32_t day  # of its own time, 0 where it has none
    uint32_t terminal
    uint32_t epoch
    uint32_t seq
    int64_t id
    int64_t received_ms
    uint32_t time_s
    uint32_t boot
    uint32_t uptime_s
    uint16_t length_s
    uint8_t type
    uint8_t has_time
    uint8_t digest[16]  # the first half: no two records of 2**64 meet by chance

cdef struct MarkRow:  # of a record that came before
    int64_t id
    uint8_t check  # NO_CHECK: what was found there before holds no longer
    uint8_t point

cdef enum Outcome:
    SKIPPED = 0  # of a frame that was not taken
    NEW = 1
    REPEATED = 2
    CONFLICT = 3
    REFUSED = 4
    ASK = 5  # it is in, and the index knows whether with these bytes

cdef enum:
    SECONDS_OF_DAY = 86400
    DIGEST_BYTES = 16
    FRAME_HEAD_BYTES = 11
    ENTRY_BYTES = 52
    DELAYS_MAX = 32

OUTCOMES = ("skipped", "new", "repeated", "conflict", "refused", "ask")
ENDS_BYTES = sizeof(Ends)


cdef class Log:
    """One log's extents, in order; and what came since the index was written."""

    cdef uint32_t terminal
    cdef uint32_t epoch
    cdef bint newest  # of its terminal's
    cdef Extent *extents
    cdef size_t count
    cdef size_t room
    cdef Identity *tail
    cdef size_t tail_count
    cdef size_t tail_room
    cdef bint changed
    # an anchor that is in the journal, so that a worse one of the same boot needs no look there (placement.py)
    cdef bint has_anchor
    cdef uint32_t anchor_boot
    cdef uint32_t anchor_uptime_s
    cdef uint32_t anchor_seq
    cdef uint16_t anchor_error_s

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.count):
            free(self.extents[i].ends)
        free(self.extents)
        free(self.tail)

    cdef size_t place_of(self, uint32_t seq) noexcept nogil:
        """How many extents begin at or below `seq`."""
        cdef size_t low = 0, high = self.count, middle
        if high and self.extents[high - 1].first <= seq:
            return high
        while low < high:
            middle = (low + high) // 2
            if self.extents[middle].first <= seq:
                low = middle + 1
            else:
                high = middle
        return low

    cdef const Registers *before(self, size_t at, uint32_t point) noexcept nogil:
        """The point's registers next below extent `at`; NULL: there are none."""
        cdef const Extent *extent
        while at:
            at -= 1
            extent = &self.extents[at]
            if point < extent.points and extent.ends[point].last.there:
                return &extent.ends[point].last
        return NULL

    cdef const Registers *after(self, size_t at, uint32_t point) noexcept nogil:
        """Likewise, from extent `at` on upwards."""
        cdef const Extent *extent
        while at < self.count:
            extent = &self.extents[at]
            if point < extent.points and extent.ends[point].first.there:
                return &extent.ends[point].first
            at += 1
        return NULL

    cdef const Identity *in_tail(self, uint32_t seq) noexcept nogil:
        cdef size_t i = self.tail_count
        while i:
            i -= 1
            if self.tail[i].seq == seq:
                return &self.tail[i]
        return NULL

    cdef int insert_extent(self, size_t at, const Extent *one) except -1:
        cdef size_t room = self.room * 2 if self.room else 2
        cdef void *grown
        if self.count == self.room:
            grown = realloc(self.extents, room * sizeof(Extent))
            if grown == NULL:
                raise MemoryError
            self.extents = <Extent *> grown
            self.room = room
        memmove(&self.extents[at + 1], &self.extents[at], (self.count - at) * sizeof(Extent))
        self.extents[at] = one[0]
        self.count += 1
        return 0

    cdef void remove_extent(self, size_t at) noexcept nogil:
        free(self.extents[at].ends)
        self.count -= 1
        memmove(&self.extents[at], &self.extents[at + 1], (self.count - at) * sizeof(Extent))

    cdef int put(self, size_t at, uint32_t seq, int64_t id, const Registers *registers, uint32_t points) except -1:
        """Take in a record that is in no extent; `at` as place_of says; `registers` of points 1 to `points`."""
        cdef Extent alone
        cdef Extent *below = &self.extents[at - 1] if at and self.extents[at - 1].last + 1 == seq else NULL
        cdef Extent *above = &self.extents[at] if at < self.count and self.extents[at].first == seq + 1 else NULL
        self.changed = True
        if below != NULL:
            append(below, seq, id, registers, points)
            if above != NULL:
                join(below, above)
                self.remove_extent(at)
        elif above != NULL:
            prepend(above, seq, id, registers, points)
        else:
            memset(&alone, 0, sizeof(alone))
            alone.first = seq
            alone.first_id = id
            append(&alone, seq, id, registers, points)
            self.insert_extent(at, &alone)
        return 0

    cdef int remember(self, const RecordRow *record, int64_t id, int64_t received_ms) except -1:
        """Keep its identity until the index has it."""
        cdef size_t room = self.tail_room * 2 if self.tail_room else 8
        cdef Identity *one
        cdef void *grown
        if self.tail_count == self.tail_room:
            grown = realloc(self.tail, room * sizeof(Identity))
            if grown == NULL:
                raise MemoryError
            self.tail = <Identity *> grown
            self.tail_room = room
        one = &self.tail[self.tail_count]
        one.day = day_of(record)
        one.terminal = self.terminal
        one.epoch = self.epoch
        one.seq = record.seq
        one.id = id
        one.received_ms = received_ms
        one.time_s = record.time_s
        one.has_time = record.has_time
        one.boot = record.boot
        one.uptime_s = record.uptime_s
        one.length_s = record.length_s
        one.type = record.type
        memcpy(one.digest, record.digest, DIGEST_BYTES)
        self.tail_count += 1
        return 0

    cdef bint improves_anchor(self, const RecordRow *record) noexcept nogil:
        """Whether a record that knows the time may be a better anchor of its boot than the journal has."""
        if self.has_anchor and self.anchor_boot == record.boot:
            if record.clock_error_s != self.anchor_error_s:
                if record.clock_error_s > self.anchor_error_s:
                    return False
            elif record.uptime_s != self.anchor_uptime_s:
                if record.uptime_s > self.anchor_uptime_s:
                    return False
            elif record.seq > self.anchor_seq:
                return False
        self.has_anchor = True
        self.anchor_boot = record.boot
        self.anchor_error_s = record.clock_error_s
        self.anchor_uptime_s = record.uptime_s
        self.anchor_seq = record.seq
        return True


cdef uint32_t day_of(const RecordRow *record) noexcept nogil:
    return record.time_s // SECONDS_OF_DAY if record.has_time else 0


cdef int need(Extent *extent, uint32_t points) except -1:
    """Room for so many points' registers."""
    cdef void *grown
    if points <= extent.points:
        return 0
    grown = realloc(extent.ends, points * sizeof(Ends))
    if grown == NULL:
        raise MemoryError
    extent.ends = <Ends *> grown
    memset(&extent.ends[extent.points], 0, (points - extent.points) * sizeof(Ends))
    extent.points = points
    return 0


cdef int append(Extent *extent, uint32_t seq, int64_t id, const Registers *registers, uint32_t points) except -1:
    cdef uint32_t i
    need(extent, points)
    extent.last = seq
    extent.last_id = id
    for i in range(points):
        if registers[i].there:
            extent.ends[i].last = registers[i]
            if not extent.ends[i].first.there:
                extent.ends[i].first = registers[i]
    return 0


cdef int prepend(Extent *extent, uint32_t seq, int64_t id, const Registers *registers, uint32_t points) except -1:
    cdef uint32_t i
    need(extent, points)
    extent.first = seq
    extent.first_id = id
    for i in range(points):
        if registers[i].there:
            extent.ends[i].first = registers[i]
            if not extent.ends[i].last.there:
                extent.ends[i].last = registers[i]
    return 0


cdef int join(Extent *below, const Extent *above) except -1:
    cdef uint32_t i
    need(below, above.points)
    below.last = above.last
    below.last_id = above.last_id
    for i in range(above.points):
        if above.ends[i].last.there:
            below.ends[i].last = above.ends[i].last
        if above.ends[i].first.there and not below.ends[i].first.there:
            below.ends[i].first = above.ends[i].first
    return 0


cdef int by_index_key(const void *a, const void *b) noexcept nogil:
    """The order of the journal's index: day, terminal, epoch, seq."""
    cdef const uint32_t *one = &(<const Identity *> a).day
    cdef const uint32_t *other = &(<const Identity *> b).day
    cdef int i
    for i in range(4):
        if one[i] != other[i]:
            return -1 if one[i] < other[i] else 1
    return 0


cdef class Taken:
    """What became of a batch; see verify.pyi."""

    cdef readonly bytearray outcomes
    cdef char *outcome_of  # their bytes
    cdef readonly list masks
    cdef readonly list asked
    cdef readonly list placed
    cdef readonly list started
    cdef readonly list epochs_back
    cdef readonly int64_t first_id
    cdef readonly int64_t next_id
    cdef readonly size_t windows
    cdef readonly size_t counts[CHECK_COUNT]
    cdef MarkRow *marks  # of new records, in order of id
    cdef size_t mark_count
    cdef size_t mark_room
    cdef MarkRow *later  # of records that were in before
    cdef size_t later_count
    cdef size_t later_room

    def __dealloc__(self):
        free(self.marks)
        free(self.later)

    cdef int mark(self, int64_t id, Check check, uint32_t point) except -1:
        if severity_of(check) == IS_MARK:
            add_mark(&self.marks, &self.mark_count, &self.mark_room, id, check, point)
        self.counts[<int> check] += 1
        return 0

    @property
    def findings(self):
        """{check: how often}, of records that are new or refused, and of those marked later."""
        return {name: self.counts[number] for number, name in enumerate(NAMES) if self.counts[number]}

    @property
    def remarks(self):
        return [(self.later[i].id, self.later[i].point, self.later[i].check) for i in range(self.later_count)]

    def blocks(self, list frames, list names, size_t frames_most):
        """The rows of the journal for what is new; see verify.pyi."""
        cdef size_t i, begin = 0, taken = 0, count = len(frames), mark = 0
        cdef int64_t first = self.first_id, id = self.first_id
        cdef list rows = []
        for i in range(count):
            if self.masks[i]:
                taken += 1
                id += bits(self.masks[i])
            if taken and (taken == frames_most or i + 1 == count):
                packed_frames = pack_frames(frames, names, self.masks, begin, i + 1)
                rows.append((first, id - first, packed_frames, self.pack_marks(first, id, &mark)))
                first, begin, taken = id, i + 1, 0
        return rows

    cdef bytes pack_marks(self, int64_t first, int64_t end, size_t *mark):
        cdef bytearray packed = bytearray()
        cdef const MarkRow *one
        while mark[0] < self.mark_count and self.marks[mark[0]].id < end:
            one = &self.marks[mark[0]]
            place = one.id - first
            packed += bytes((place & 0xFF, place >> 8, one.check, one.point))
            mark[0] += 1
        return bytes(packed)


cdef int bits(uint64_t mask) noexcept nogil:
    cdef int count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


cdef int add_mark(MarkRow **rows, size_t *count, size_t *room, int64_t id, int check, uint32_t point) except -1:
    cdef size_t wanted = room[0] * 2 if room[0] else 16
    cdef void *grown
    if count[0] == room[0]:
        grown = realloc(rows[0], wanted * sizeof(MarkRow))
        if grown == NULL:
            raise MemoryError
        rows[0] = <MarkRow *> grown
        room[0] = wanted
    rows[0][count[0]].id = id
    rows[0][count[0]].check = <uint8_t> check
    rows[0][count[0]].point = <uint8_t> point
    count[0] += 1
    return 0


cdef bytes pack_frames(list frames, list names, list masks, size_t begin, size_t end):
    """Each frame that has a new record: mask (8 bytes), size (2), name's length (1), name, bytes; little-endian."""
    cdef size_t i, total = 0
    cdef Py_ssize_t name_bytes = 0
    cdef uint8_t *at
    cdef uint64_t mask
    cdef uint16_t size
    cdef const char *name
    cdef bytes data, packed
    for i in range(begin, end):
        if masks[i]:
            data = frames[i]
            PyUnicode_AsUTF8AndSize(names[i], &name_bytes)
            total += FRAME_HEAD_BYTES + <size_t> name_bytes + <size_t> PyBytes_GET_SIZE(data)
    packed = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> total)
    at = <uint8_t *> PyBytes_AS_STRING(packed)
    for i in range(begin, end):
        mask = masks[i]
        if not mask:
            continue
        data = frames[i]
        name = PyUnicode_AsUTF8AndSize(names[i], &name_bytes)
        size = <uint16_t> PyBytes_GET_SIZE(data)
        put_little_endian(at, mask, 8)
        put_little_endian(at + 8, size, 2)
        at[10] = <uint8_t> name_bytes
        memcpy(at + FRAME_HEAD_BYTES, name, <size_t> name_bytes)
        at += FRAME_HEAD_BYTES + name_bytes
        memcpy(at, PyBytes_AS_STRING(data), size)
        at += size
    return packed


cdef void put_little_endian(uint8_t *at, uint64_t value, int size) noexcept nogil:
    cdef int i
    for i in range(size):
        at[i] = <uint8_t> (value >> (8 * i) & 0xFF)


cdef uint64_t lives = 0  # of all ledgers


cdef class Ledger:
    """All logs that were touched; see verify.pyi."""

    cdef object load
    cdef object row_of
    cdef dict newest
    cdef dict logs
    cdef Powers powers  # of those that are unindexed
    cdef uint64_t life  # another one whenever `logs` begins anew: what a terminal's Points have at hand is told by it
    cdef readonly size_t unindexed

    def __init__(self, load, row_of, newest):
        self.load = load
        self.row_of = row_of
        self.newest = dict(newest)
        self.powers = Powers.__new__(Powers)
        self.begin()

    cdef int begin(self) except -1:
        global lives
        lives += 1
        self.life = lives
        self.logs = {}
        return 0

    cdef Log log_of(self, uint32_t terminal, uint32_t epoch):
        key = <uint64_t> terminal << 32 | epoch
        cdef Log found = self.logs.get(key)
        if found is None:
            found = self.logs[key] = loaded_log(terminal, epoch, self.load(terminal, epoch))
            found.newest = self.newest.get(terminal) == epoch
        return found

    cdef Log log_of_frame(self, Points points, uint32_t epoch):
        """Mostly that of the terminal's frame before: then nothing is looked up by a name or a number."""
        if points is None:
            raise TypeError("points of each frame that is taken")
        if points.log is None or points.log_life != self.life or points.log.epoch != epoch:
            points.log = self.log_of(self.row_of(points.terminal), epoch)
            points.log_life = self.life
        return points.log

    def take(self, columns, points, Findings findings not None, next_id, received_ms, Bounds limits not None):
        """Which records are new, and what they say of those before and after; see verify.pyi."""
        cdef const uint8_t[::1] frame_rows = columns.frames.rows, record_rows = columns.records.rows
        cdef const uint8_t[::1] slot_rows = columns.slots.rows
        cdef const FrameRow *frames = <const FrameRow *> &frame_rows[0] if frame_rows.shape[0] else NULL
        cdef size_t count = <size_t> frame_rows.shape[0] // sizeof(FrameRow), i
        cdef Batch batch = Batch.__new__(Batch)
        cdef Taken taken = new_taken(<size_t> record_rows.shape[0] // sizeof(RecordRow), next_id)
        batch.records = <const RecordRow *> &record_rows[0] if record_rows.shape[0] else NULL
        batch.slots = <const SlotRow *> &slot_rows[0] if slot_rows.shape[0] else NULL
        batch.finding = findings.found.rows
        batch.findings_end = findings.found.rows + findings.found.count
        batch.most = &limits.energy
        batch.received_ms = received_ms
        for i in range(count):
            if frames[i].reason:
                taken.masks.append(0)
            else:
                self.take_frame(batch, taken, &frames[i], i, points[i])
        return taken

    cdef int take_frame(self, Batch batch, Taken taken, const FrameRow *frame, size_t index, Points points) except -1:
        cdef Log log = self.log_of_frame(points, frame.epoch)
        cdef bint starts = log.count == 0
        cdef int64_t first_id = taken.next_id
        cdef uint64_t mask = 0
        cdef uint32_t j, row
        cdef Outcome outcome
        for j in range(frame.record_count):
            row = frame.first_record + j
            outcome = self.take_record(batch, taken, log, row, points)
            taken.outcome_of[row] = <char> outcome
            if outcome == NEW:
                mask |= <uint64_t> 1 << j
        taken.masks.append(mask)
        if mask and not log.newest:
            if starts:
                taken.started.append((log.terminal, log.epoch, first_id))
                self.begin_log(log)
            else:
                taken.epochs_back.append(index)
                taken.counts[<int> EPOCH_BACK] += 1
        return 0

    cdef int begin_log(self, Log log) except -1:
        """It is its terminal's newest from here on."""
        cdef Log before
        if log.terminal in self.newest:
            before = self.log_of(log.terminal, self.newest[log.terminal])
            before.newest = False
        self.newest[log.terminal] = log.epoch
        log.newest = True
        return 0

    cdef Outcome take_record(self, Batch batch, Taken taken, Log log, uint32_t row, Points points) except *:
        cdef const RecordRow *record = &batch.records[row]
        cdef const FindingRow *finding = batch.findings_of(row)
        cdef const FindingRow *each = finding
        cdef size_t at = log.place_of(record.seq)
        cdef int64_t id = taken.next_id
        while each != batch.findings_end and each.record == row:
            if severity_of(<Check> each.check) == IS_REFUSE:
                taken.counts[each.check] += 1
                return REFUSED
            each += 1
        if at and record.seq <= log.extents[at - 1].last:
            return self.known(taken, log, record, row)
        taken.next_id += 1
        while finding != each:
            taken.mark(id, <Check> finding.check, finding.point)
            finding += 1
        batch.read_registers(record, id)
        self.judge_steps(batch, taken, log, at, id, points)
        log.put(at, record.seq, id, batch.registers, batch.points)
        log.remember(record, id, batch.received_ms)
        self.powers.add(id, record, batch.slots)
        self.unindexed += 1
        taken.windows += record.type == WINDOW
        if log.improves_anchor(record) if record.has_time else record.type == WINDOW:
            taken.placed.append(placed_row(log, record, id))
        return NEW

    cdef Outcome known(self, Taken taken, Log log, const RecordRow *record, uint32_t row) except *:
        """What to say of a record whose number is in the journal."""
        cdef const Identity *one = log.in_tail(record.seq)
        if one == NULL:
            taken.asked.append((row, log.terminal, log.epoch, record.seq, day_of(record)))
            return ASK
        return REPEATED if memcmp(one.digest, record.digest, DIGEST_BYTES) == 0 else CONFLICT

    cdef int judge_steps(self, Batch batch, Taken taken, Log log, size_t at, int64_t id, Points points) except -1:
        """Hold a new record's registers against those before it, and those after it against them."""
        cdef const Registers *before
        cdef const Registers *after
        cdef const PointLimits *point
        cdef Check check, was
        cdef uint32_t i
        for i in range(batch.points):
            point = &points.limits[i + 1]
            if not batch.registers[i].there or not point.admitted:
                continue
            before = log.before(at, i)
            after = log.after(at, i)
            if before != NULL:
                check = check_step(before, &batch.registers[i], point, batch.most)
                if check != NO_CHECK:
                    taken.mark(id, check, i + 1)
            if after != NULL:
                was = check_step(before, after, point, batch.most) if before != NULL else NO_CHECK
                check = check_step(&batch.registers[i], after, point, batch.most)
                if check != was:
                    add_mark(&taken.later, &taken.later_count, &taken.later_room, after.id, check, i + 1)
                    taken.counts[<int> check] += check != NO_CHECK
        return 0

    def absorb(self, columns, terminals, masks, received_ms, next_id):
        """Take in again what the journal holds: the records of `masks`; returns the id after the last."""
        cdef const uint8_t[::1] frame_rows = columns.frames.rows, record_rows = columns.records.rows
        cdef const uint8_t[::1] slot_rows = columns.slots.rows
        cdef const FrameRow *frames = <const FrameRow *> &frame_rows[0] if frame_rows.shape[0] else NULL
        cdef size_t count = <size_t> frame_rows.shape[0] // sizeof(FrameRow), i
        cdef Batch batch = Batch.__new__(Batch)
        cdef int64_t id = next_id
        cdef uint64_t mask
        cdef uint32_t j
        cdef Log log
        cdef const RecordRow *record
        batch.records = <const RecordRow *> &record_rows[0] if record_rows.shape[0] else NULL
        batch.slots = <const SlotRow *> &slot_rows[0] if slot_rows.shape[0] else NULL
        for i in range(count):
            log = self.log_of(terminals[i], frames[i].epoch)
            mask = masks[i]
            for j in range(frames[i].record_count):
                record = &batch.records[frames[i].first_record + j]
                if mask >> j & 1:
                    batch.read_registers(record, id)
                    log.put(log.place_of(record.seq), record.seq, id, batch.registers, batch.points)
                    log.remember(record, id, received_ms[i])
                    self.powers.add(id, record, batch.slots)
                    self.unindexed += 1
                    id += 1
        return id

    def holes(self):
        """[(terminal, epoch, how many numbers are absent, the highest one that came)]; see verify.pyi."""
        cdef Log log
        cdef size_t i
        cdef uint64_t absent, expected
        cdef list found = []
        for log in self.logs.values():
            if log.count == 0 or log.count == 1 and log.extents[0].first <= 1:
                continue
            absent, expected = 0, 1
            for i in range(log.count):
                if log.extents[i].first > expected:
                    absent += log.extents[i].first - expected
                expected = <uint64_t> log.extents[i].last + 1
            if absent and log.newest:
                found.append((log.terminal, log.epoch, absent, log.extents[log.count - 1].last))
        return found

    def absent(self, uint32_t terminal, uint32_t epoch, uint32_t first, uint32_t last, size_t most):
        """Up to `most` ranges of first..last that are not in, the highest first; see verify.pyi."""
        cdef Log log = self.log_of(terminal, epoch)
        cdef size_t at = log.place_of(last)
        cdef int64_t end = last, begin
        cdef list found = []
        while end >= first and <size_t> len(found) < most:
            begin = <int64_t> log.extents[at - 1].last + 1 if at else 0
            if begin <= end:
                found.append((max(begin, <int64_t> first), end))
            if not at:
                break
            at -= 1
            end = <int64_t> log.extents[at].first - 1
        return found

    def newest_of(self, terminal):
        """The epoch of a terminal's newest log; None: it has none."""
        return self.newest.get(terminal)

    def runs(self):
        """The rows of `runs` for all that the index does not have, in its order."""
        cdef size_t count = 0, i, begin = 0
        cdef Log log
        cdef Identity *all_of_them = <Identity *> malloc((self.unindexed + 1) * sizeof(Identity))
        if all_of_them == NULL:
            raise MemoryError
        try:
            for log in self.logs.values():
                if log.tail_count:
                    memcpy(&all_of_them[count], log.tail, log.tail_count * sizeof(Identity))
                count += log.tail_count
            qsort(all_of_them, count, sizeof(Identity), by_index_key)
            for i in range(1, count + 1):
                if i == count or not one_run(&all_of_them[begin], &all_of_them[i]):
                    yield run_row(self.powers, &all_of_them[begin], i - begin)
                    begin = i
        finally:
            free(all_of_them)

    def extents(self):
        """(terminal, epoch, its rows of `extents`) of each log that changed."""
        cdef Log log
        cdef size_t i
        for log in self.logs.values():
            if log.changed:
                yield log.terminal, log.epoch, [extent_row(log, &log.extents[i]) for i in range(log.count)]

    def settle(self, size_t logs_most):
        """The index has it all now. Forgets the logs where there are more of them than that."""
        cdef Log log
        for log in self.logs.values():
            log.changed = False
            log.tail_count = log.tail_room = 0
            free(log.tail)
            log.tail = NULL
        self.powers.forget()
        self.unindexed = 0
        if len(self.logs) > <Py_ssize_t> logs_most:
            self.begin()


cdef class Batch:
    """The rows of a batch, and the registers of the record in hand."""

    cdef const RecordRow *records
    cdef const SlotRow *slots
    cdef const FindingRow *finding
    cdef const FindingRow *findings_end
    cdef const EnergyBounds *most
    cdef int64_t received_ms
    cdef Registers registers[POINTS_MAX]
    cdef uint32_t points

    cdef const FindingRow *findings_of(self, uint32_t row) noexcept nogil:
        """The first finding of a record, records being asked for in order."""
        while self.finding != self.findings_end and self.finding.record < row:
            self.finding += 1
        return self.finding

    cdef void read_registers(self, const RecordRow *record, int64_t id) noexcept nogil:
        cdef uint32_t i
        cdef const SlotRow *slot
        self.points = record.count if record.type == WINDOW else 0
        for i in range(self.points):
            slot = &self.slots[record.first + i]
            if slot.kind == SLOT_READING:
                self.registers[i] = registers_of(record, slot, id)
            else:
                self.registers[i].there = 0


cdef Taken new_taken(size_t records, int64_t next_id):
    cdef Taken taken = Taken.__new__(Taken)
    taken.outcomes = bytearray(records)
    taken.outcome_of = PyByteArray_AS_STRING(taken.outcomes)
    taken.masks, taken.asked, taken.placed, taken.started, taken.epochs_back = [], [], [], [], []
    taken.first_id = taken.next_id = next_id
    return taken


cdef Log loaded_log(uint32_t terminal, uint32_t epoch, rows):
    """A log from its rows of the journal, which are in order."""
    cdef Log log = Log.__new__(Log)
    cdef Extent one
    cdef bytes ends
    log.terminal = terminal
    log.epoch = epoch
    for first, last, first_id, last_id, ends in rows:
        memset(&one, 0, sizeof(one))
        one.first = first
        one.last = last
        one.first_id = first_id
        one.last_id = last_id
        need(&one, <uint32_t> (len(ends) // sizeof(Ends)))
        if one.points:  # of events alone there are no ends, nor memory for them
            memcpy(one.ends, PyBytes_AS_STRING(ends), one.points * sizeof(Ends))
        log.insert_extent(log.count, &one)
    return log


cdef bint one_run(const Identity *one, const Identity *other) noexcept nogil:
    return one.day == other.day and one.terminal == other.terminal and one.epoch == other.epoch


cdef tuple run_row(Powers powers, const Identity *rows, size_t count):
    """A row of `runs`, its entries as the schema says."""
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> (count * ENTRY_BYTES))
    cdef uint8_t *at = <uint8_t *> PyBytes_AS_STRING(packed)
    cdef size_t i
    for i in range(count):
        put_little_endian(at, rows[i].seq, 4)
        put_little_endian(at + 4, <uint64_t> rows[i].id, 8)
        put_little_endian(at + 12, <uint64_t> rows[i].received_ms, 8)
        put_little_endian(at + 20, rows[i].time_s, 4)
        put_little_endian(at + 24, rows[i].boot, 4)
        put_little_endian(at + 28, rows[i].uptime_s, 4)
        put_little_endian(at + 32, rows[i].length_s, 2)
        at[34] = rows[i].type
        at[35] = rows[i].has_time
        memcpy(at + 36, rows[i].digest, DIGEST_BYTES)
        at += ENTRY_BYTES
    return rows[0].day, rows[0].terminal, rows[0].epoch, rows[0].seq, packed, run_powers(powers, rows, count)


cdef tuple extent_row(Log log, const Extent *extent):
    ends = PyBytes_FromStringAndSize(<const char *> extent.ends, <Py_ssize_t> (extent.points * sizeof(Ends)))
    return log.terminal, log.epoch, extent.first, extent.last, extent.first_id, extent.last_id, ends


cdef tuple placed_row(Log log, const RecordRow *record, int64_t id):
    end_s = record.time_s + <int64_t> record.length_s if record.has_time else None
    return (
        id, (log.terminal, log.epoch, record.boot), record.uptime_s, record.length_s,
        None if end_s is None else (record.clock_error_s, record.uptime_s, record.seq, end_s),
    )


cdef class Tally:
    """How many frames and records had which outcome."""

    cdef readonly dict frames
    cdef readonly dict records


def tally(columns, outcomes):
    """Counts of a batch: frames by what their records came to, records by outcome; frames not taken are left out."""
    cdef const uint8_t[::1] frame_rows = columns.frames.rows, of_records = outcomes
    cdef const FrameRow *frames = <const FrameRow *> &frame_rows[0] if frame_rows.shape[0] else NULL
    cdef size_t count = <size_t> frame_rows.shape[0] // sizeof(FrameRow), i
    cdef size_t records[<int> ASK + 1]
    cdef size_t accepted = 0, repeated = 0, refused = 0
    cdef uint32_t j, row
    cdef uint8_t seen
    cdef Tally found = Tally.__new__(Tally)
    memset(records, 0, sizeof(records))
    for i in range(count):
        if frames[i].reason:
            continue
        seen = 0
        for j in range(frames[i].record_count):
            row = frames[i].first_record + j
            records[of_records[row]] += 1
            seen |= <uint8_t> 1 << of_records[row]
        if seen >> <int> NEW & 1:
            accepted += 1
        elif seen >> <int> REPEATED & 1:
            repeated += 1
        else:
            refused += 1
    found.frames = {"accepted": accepted, "repeated": repeated, "refused": refused}
    found.records = {OUTCOMES[i]: records[i] for i in range(<size_t> NEW, <size_t> REFUSED + 1)}
    return found


def delays(columns, outcomes, now_s, limits):
    """(count of new windows by delay: up to limits[0], ... limits[-1], more; sum of their delays in s), at least 0 each."""
    cdef const uint8_t[::1] record_rows = columns.records.rows, of_records = outcomes
    cdef const RecordRow *records = <const RecordRow *> &record_rows[0] if record_rows.shape[0] else NULL
    cdef int64_t most[DELAYS_MAX]
    cdef size_t counts[DELAYS_MAX + 1]
    cdef int64_t now = now_s, delay, total = 0
    cdef size_t n = len(limits), i, k
    if n > DELAYS_MAX:
        raise ValueError("at most 32 limits")
    memset(counts, 0, sizeof(counts))
    for i in range(n):
        most[i] = limits[i]
    for i in range(<size_t> of_records.shape[0]):
        if of_records[i] != <uint8_t> NEW or records[i].type != WINDOW or not records[i].has_time:
            continue
        delay = now - records[i].time_s - records[i].length_s
        delay = delay if delay > 0 else 0
        total += delay
        k = 0
        while k < n and delay > most[k]:
            k += 1
        counts[k] += 1
    return [counts[i] for i in range(n + 1)], total
