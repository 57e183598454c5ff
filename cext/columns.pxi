"""The rows of a batch as Python sees them: tables and columns, by the buffer protocol, without a copy."""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE

cdef FrameRow a_frame
cdef RecordRow a_record
cdef SlotRow a_slot


cdef dict fields_of(const void *row, tuple fields):
    """{name: (offset in the row, format, items)} of ((name, address in a sample row, format, items), ...)."""
    return {name: (<size_t> address - <size_t> row, format, items) for name, address, format, items in fields}


# Formats as in `struct`: B uint8, H uint16, I uint32, Q uint64, q int64. What each column means stands in decoder.pyi.
cdef dict FRAME_FIELDS = fields_of(&a_frame, (
    ("reason", <size_t> &a_frame.reason, "B", 1),
    ("generation", <size_t> &a_frame.generation, "B", 1),
    ("record_count", <size_t> &a_frame.record_count, "H", 1),
    ("offset", <size_t> &a_frame.offset, "I", 1),
    ("epoch", <size_t> &a_frame.epoch, "I", 1),
    ("boot_id", <size_t> &a_frame.boot_id, "I", 1),
    ("sent_ms", <size_t> &a_frame.sent_ms, "Q", 1),
    ("first_record", <size_t> &a_frame.first_record, "I", 1),
))
cdef dict RECORD_FIELDS = fields_of(&a_record, (
    ("frame", <size_t> &a_record.frame, "I", 1),
    ("begin", <size_t> &a_record.begin, "I", 1),
    ("end", <size_t> &a_record.end, "I", 1),
    ("seq", <size_t> &a_record.seq, "I", 1),
    ("time_s", <size_t> &a_record.time_s, "I", 1),
    ("boot", <size_t> &a_record.boot, "I", 1),
    ("uptime_s", <size_t> &a_record.uptime_s, "I", 1),
    ("first", <size_t> &a_record.first, "I", 1),
    ("length_s", <size_t> &a_record.length_s, "H", 1),
    ("samples_due", <size_t> &a_record.samples_due, "H", 1),
    ("clock_error_s", <size_t> &a_record.clock_error_s, "H", 1),
    ("clock_source", <size_t> &a_record.clock_source, "B", 1),
    ("type", <size_t> &a_record.type, "B", 1),
    ("has_time", <size_t> &a_record.has_time, "B", 1),
    ("code", <size_t> &a_record.code, "B", 1),
    ("point", <size_t> &a_record.point, "B", 1),
    ("count", <size_t> &a_record.count, "B", 1),
    ("digest", <size_t> &a_record.digest, "B", 32),
))
cdef dict RECORD_FIELDS_BUT_DIGEST = {name: field for name, field in RECORD_FIELDS.items() if name != "digest"}
cdef dict SLOT_FIELDS = fields_of(&a_slot, (
    ("record", <size_t> &a_slot.record, "I", 1),
    ("present", <size_t> &a_slot.present, "I", 1),
    ("point", <size_t> &a_slot.point, "B", 1),
    ("kind", <size_t> &a_slot.kind, "B", 1),
    ("none_reason", <size_t> &a_slot.none_reason, "B", 1),
    *[(name, <size_t> &a_slot.value[which], "q", 1) for which, name in enumerate(Reading._fields)],
    ("values", <size_t> &a_slot.value, "q", <int> VALUES),
))
cdef dict FORMAT_BYTES = {"B": 1, "H": 2, "I": 4, "Q": 8, "q": 8}


cdef class Storage:
    """The memory behind the tables of one batch; freed with the last view of it."""

    cdef Rows rows
    cdef FrameRow *frames
    cdef size_t frame_count

    def __cinit__(self, size_t frame_count):
        self.frame_count = frame_count
        self.frames = <FrameRow *> calloc(frame_count + 1, sizeof(FrameRow))
        if self.frames == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.frames)
        free_rows(&self.rows)


cdef class Buffer:
    """Items in a Storage, `stride` bytes apart, each one value or several: what a memoryview of them holds on to."""

    cdef Storage storage
    cdef void *at
    cdef bytes format
    cdef Py_ssize_t item_bytes
    cdef int dimensions
    cdef Py_ssize_t shape[2]
    cdef Py_ssize_t strides[2]

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if self.storage is None:
            raise BufferError("a buffer over nothing")
        if flags & PyBUF_WRITABLE:
            raise BufferError("what was decoded is read-only")
        if self.strides[0] != self.shape[1] * self.item_bytes and flags & PyBUF_STRIDES != PyBUF_STRIDES:
            raise BufferError("a column's items are not side by side: take all of the table's `rows`")
        buffer.buf = self.at
        buffer.obj = self
        buffer.readonly = True
        buffer.len = self.shape[0] * self.shape[1] * self.item_bytes
        buffer.itemsize = self.item_bytes
        buffer.ndim = self.dimensions
        buffer.format = PyBytes_AS_STRING(self.format) if flags & PyBUF_FORMAT else NULL
        buffer.shape = self.shape if flags & PyBUF_ND else NULL
        buffer.strides = self.strides if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef object view(Storage storage, const void *at, size_t count, size_t stride, str format, Py_ssize_t items):
    """A memoryview of `count` values; of `count` times `items` values, in two dimensions, where items is not 1."""
    cdef Buffer buffer = Buffer.__new__(Buffer)
    buffer.storage = storage
    buffer.at = <void *> (at if count else &a_slot)  # memory that is there, also for nothing
    buffer.format = format.encode()
    buffer.item_bytes = FORMAT_BYTES[format]
    buffer.dimensions = 1 if items == 1 else 2
    buffer.shape[0] = <Py_ssize_t> count
    buffer.shape[1] = items
    buffer.strides[0] = <Py_ssize_t> stride
    buffer.strides[1] = buffer.item_bytes
    return memoryview(buffer)


cdef class Table:
    """Rows of one kind; its attributes are its columns."""

    cdef Storage storage
    cdef const void *at
    cdef size_t count
    cdef size_t stride
    cdef dict fields

    cdef Table over(self, Storage storage, const void *at, size_t count, size_t stride, dict fields):
        self.storage = storage
        self.at = at
        self.count = count
        self.stride = stride
        self.fields = fields
        return self

    def __len__(self):
        return self.count

    def __dir__(self):
        return [*object.__dir__(self), *self.fields]

    def __getattr__(self, str name):
        if name not in self.fields:
            raise AttributeError(f"{type(self).__name__} has no column {name}")
        offset, format, items = self.fields[name]
        return view(self.storage, <const char *> self.at + <size_t> offset, self.count, self.stride, format, items)

    @property
    def rows(self):
        return view(self.storage, self.at, self.count * self.stride, 1, "B", 1)

    @property
    def dtype(self):
        names = [name for name in self.fields if name != "values"]  # these overlap with columns of their own
        formats = [format if items == 1 else (format, items) for _, format, items in map(self.fields.get, names)]
        offsets = [self.fields[name][0] for name in names]
        return {"names": names, "formats": formats, "offsets": offsets, "itemsize": self.stride}


cdef class FrameTable(Table):
    pass


cdef class RecordTable(Table):
    pass


cdef class SlotTable(Table):
    pass


cdef class Columns:
    """What a batch says; decoder.pyi names and explains the columns."""

    cdef readonly FrameTable frames
    cdef readonly RecordTable records
    cdef readonly SlotTable slots
    cdef readonly object integers

    def __len__(self):
        return len(self.frames)


cdef Columns columns_over(Storage storage, bint digests):
    cdef Columns columns = Columns.__new__(Columns)
    cdef const Rows *rows = &storage.rows
    columns.frames = FrameTable().over(storage, storage.frames, storage.frame_count, sizeof(FrameRow), FRAME_FIELDS)
    fields = RECORD_FIELDS if digests else RECORD_FIELDS_BUT_DIGEST
    columns.records = RecordTable().over(storage, rows.records, rows.record_count, sizeof(RecordRow), fields)
    columns.slots = SlotTable().over(storage, rows.slots, rows.slot_count, sizeof(SlotRow), SLOT_FIELDS)
    columns.integers = view(storage, rows.integers, rows.integer_count, sizeof(int64_t), "q", 1)
    return columns
