"""Mean powers of records that the journal's index does not have yet, packed as its rows have them (schema/0005.sql).

One after the other in one piece of memory, in the order of acceptance: to keep them touches nothing of a terminal's.
"""

cdef enum:
    POWER_BYTES = 4


cdef class Powers:
    """Of records whose ids follow each other."""

    cdef uint8_t *packed
    cdef size_t size
    cdef size_t room
    cdef size_t *begins  # of each record, in `packed`
    cdef size_t count
    cdef size_t count_room
    cdef int64_t first_id

    def __dealloc__(self):
        free(self.packed)
        free(self.begins)

    cdef int add(self, int64_t id, const RecordRow *record, const SlotRow *slots) except -1:
        """Those of the next record: of each point from 1 on; of an event none. slots: of its batch."""
        cdef uint32_t points = record.count if record.type == WINDOW else 0, i
        cdef size_t size = 1 + POWER_BYTES * <size_t> points
        cdef uint8_t *at
        if self.count == 0:
            self.first_id = id
        elif id != self.first_id + <int64_t> self.count:
            raise ValueError("ids that do not follow each other")
        if not (
            make_room(<void **> &self.packed, &self.room, self.size + size, 1)
            and make_room(<void **> &self.begins, &self.count_room, self.count + 1, sizeof(size_t))
        ):
            raise MemoryError
        at = &self.packed[self.size]
        at[0] = <uint8_t> points
        for i in range(points):
            put_little_endian(at + 1 + POWER_BYTES * i, <uint32_t> power_of(&slots[record.first + i]), POWER_BYTES)
        self.begins[self.count] = self.size
        self.size += size
        self.count += 1
        return 0

    cdef const uint8_t *of(self, int64_t id) noexcept nogil:
        """Of a record that was added."""
        return &self.packed[self.begins[id - self.first_id]]

    cdef void forget(self) noexcept nogil:
        free(self.packed)
        free(self.begins)
        self.packed = NULL
        self.begins = NULL
        self.size = self.room = self.count = self.count_room = 0


cdef inline int32_t power_of(const SlotRow *slot) noexcept nogil:
    return <int32_t> slot_value(slot, P_MEAN_W, NO_POWER) if slot.kind == SLOT_READING else NO_POWER


cdef inline size_t powers_bytes(const uint8_t *of_record) noexcept nogil:
    return 1 + POWER_BYTES * <size_t> of_record[0]


cdef bytes run_powers(Powers powers, const Identity *rows, size_t count):
    """Of a row of `runs`."""
    cdef size_t i, size = 0
    cdef const uint8_t *one
    cdef uint8_t *at
    cdef bytes packed
    for i in range(count):
        size += powers_bytes(powers.of(rows[i].id))
    packed = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> size)
    at = <uint8_t *> PyBytes_AS_STRING(packed)
    for i in range(count):
        one = powers.of(rows[i].id)
        memcpy(at, one, powers_bytes(one))
        at += powers_bytes(one)
    return packed
