# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Windows of a batch, as columns, into HJ 212 packets: the bytes of gateway/forward/hj212/encode.py, without a Python
object for a reading. hj212.pyi is the contract; the rules stand in encode.py and gateway/hj212/split.py.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

include "bounds.pxi"
include "rows.pxi"

cdef enum:
    POINTS_KNOWN = 33  # letters by point; 0 is not used
    CODE_BYTES_MAX = 16
    ATTRIBUTES_MAX = 6
    SUFFIX_BYTES_MAX = 12
    NUMBER_BYTES_MAX = 22
    ITEM_BYTES_MAX = 512  # 7 attributes of at most 16 + 1 + 10 + 1 + 22 + 1 bytes
    HEAD_BYTES_MAX = 128  # from ST= to the Flag's =
    CP_BYTES_MAX = 950
    SEGMENT_BYTES_MAX = 1024
    PACKET_BYTES_MAX = 1024 + 12
    PACKETS_A_MESSAGE = 9
    PACKETS_MAX = 45  # 9 + 8 + ... + 1
    BEIJING_S = 8 * 3600
    TIME_BYTES = 14
    QN_BYTES = 17

cdef enum Kind:
    OF_PERIOD
    OF_INSTANT
    OF_STATE

cdef struct Attribute:
    uint8_t value  # a Value
    uint8_t suffix_bytes
    bint is_time  # the sample's instant, of seconds before the window's end
    char suffix[SUFFIX_BYTES_MAX]  # -Avg=

cdef struct Item:
    uint8_t point
    uint8_t code_bytes
    uint8_t attribute_count
    uint8_t decimals
    int64_t divisor  # what one unit of the last decimal is of the field's own
    int64_t one  # 10 ** decimals
    char code[CODE_BYTES_MAX]
    Attribute attributes[ATTRIBUTES_MAX]

cdef struct Message:
    Kind kind
    uint16_t head_bytes
    size_t item_count
    Item *items
    char head[HEAD_BYTES_MAX]

cdef struct Text:  # an item, written
    const char *at
    size_t size

cdef struct Window:  # what is to be written
    const SlotRow *slots
    uint32_t slot_count
    int64_t start_s
    int64_t end_s
    int64_t instant_s
    const uint8_t *marked  # letters by point, 0 where nothing is marked; or NULL

cdef struct Rules:
    bint half_up
    bint resent
    uint8_t flag  # an unsplit packet's
    bint is_2025
    uint8_t stopped
    uint8_t few_samples
    uint8_t none[3]  # silent, garbled, other

# One step of the check value keeps the register's high byte alone: high = step(high ^ byte), and `step` is linear, of order
# 8. So bytes that stand eight apart can be folded first, word by word, and each of the eight sums is stepped once.
cdef uint16_t crc_table[256]
cdef uint8_t crc_steps[8][256]  # crc_steps[n][x]: n steps of x


cdef bint make_crc_tables() noexcept nogil:
    """False where eight steps are not none: then nothing here would hold."""
    cdef uint32_t n
    cdef int power
    cdef uint16_t value
    for n in range(256):
        value = <uint16_t> n
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        crc_table[n] = value
    for n in range(256):
        crc_steps[0][n] = <uint8_t> n
        for power in range(1, 8):
            crc_steps[power][n] = <uint8_t> (crc_table[crc_steps[power - 1][n]] >> 8)
        if crc_table[crc_steps[7][n]] >> 8 != n:
            return False
    return True


if not make_crc_tables():
    raise ImportError("the check value's tables are wrong")


cdef inline uint16_t crc_of(const uint8_t *data, size_t size) noexcept nogil:
    """As gateway/hj212/crc.py."""
    cdef uint64_t folded = 0, word
    cdef uint8_t lanes[8]
    cdef uint8_t high
    cdef size_t most = size - 1, whole, i
    if size == 0:
        return 0xFFFF
    whole = most - most % 8
    for i in range(0, whole, 8):
        memcpy(&word, data + i, 8)
        folded ^= word
    memcpy(lanes, &folded, 8)
    for i in range(whole, most):
        lanes[i % 8] ^= data[i]
    high = crc_steps[most % 8][0xFF]
    for i in range(8):
        high ^= crc_steps[(most + 8 - i) % 8][lanes[i]]
    return crc_table[high ^ data[most]]


def crc(const uint8_t[::1] data not None):
    """The check value of a data segment (HJ 212-2017, Appendix A)."""
    return crc_of(&data[0], <size_t> data.shape[0]) if data.shape[0] else 0xFFFF


cdef inline char *put(char *out, const char *text, size_t size) noexcept nogil:
    memcpy(out, text, size)
    return out + size


cdef inline char *put_digits(char *out, uint64_t value, int digits) noexcept nogil:
    cdef int i
    for i in range(digits - 1, -1, -1):
        out[i] = <char> (48 + value % 10)
        value //= 10
    return out + digits


cdef inline char *put_number(char *out, uint64_t value) noexcept nogil:
    cdef uint64_t rest = value
    cdef int digits = 1
    while rest >= 10:
        rest //= 10
        digits += 1
    return put_digits(out, value, digits)


cdef inline char *put_time(char *out, int64_t unix_s) noexcept nogil:
    """YYYYMMDDhhmmss in Beijing: days to a civil date, years from March."""
    cdef int64_t local = unix_s + BEIJING_S
    cdef int64_t days = local // 86400 + 719468, second = local % 86400
    cdef int64_t era = days // 146097, of_era = days % 146097
    cdef int64_t year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef int64_t day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int64_t from_march = (5 * day_of_year + 2) // 153
    cdef int64_t month = from_march + 3 if from_march < 10 else from_march - 9
    out = put_digits(out, <uint64_t> (year_of_era + era * 400 + (month <= 2)), 4)
    out = put_digits(out, <uint64_t> month, 2)
    out = put_digits(out, <uint64_t> (day_of_year - (153 * from_march + 2) // 5 + 1), 2)
    out = put_digits(out, <uint64_t> (second // 3600), 2)
    out = put_digits(out, <uint64_t> (second // 60 % 60), 2)
    return put_digits(out, <uint64_t> (second % 60), 2)


cdef inline char *put_decimal(char *out, int64_t value, const Item *item, bint half_up) noexcept nogil:
    """As decimal_text: rounded half to even, or half up."""
    cdef uint64_t amount = <uint64_t> (-value if value < 0 else value)
    cdef uint64_t divisor = <uint64_t> item.divisor, scaled = amount // divisor, rest = amount % divisor
    if 2 * rest > divisor or (2 * rest == divisor and (half_up or scaled & 1)):
        scaled += 1
    if value < 0 and scaled:
        out[0] = 45
        out += 1
    out = put_number(out, scaled // <uint64_t> item.one)
    if item.decimals:
        out[0] = 46
        out = put_digits(out + 1, scaled % <uint64_t> item.one, item.decimals)
    return out


cdef inline const SlotRow *slot_of(const Window *window, uint8_t point) noexcept nogil:
    return &window.slots[point - 1] if point <= window.slot_count else NULL


cdef inline uint8_t letter_of(const Window *window, const SlotRow *slot, const Rules *rules) noexcept nogil:
    if window.marked != NULL and window.marked[slot.point]:
        return window.marked[slot.point]
    if slot.value[<int> FLAGS] & 1 and rules.few_samples != 78:  # N
        return rules.few_samples
    return rules.stopped if slot.value[<int> RUN_S] == 0 else 78


cdef inline uint8_t none_letter(const SlotRow *slot, const Rules *rules) noexcept nogil:
    return rules.none[0 if slot.none_reason == 1 else 1 if slot.none_reason == 3 else 2]


cdef inline char *put_flag(char *out, const Item *item, uint8_t letter) noexcept nogil:
    out = put(out, item.code, item.code_bytes)
    out = put(out, b"-Flag=", 6)
    out[0] = <char> letter
    return out + 1


cdef size_t write_item(char *out, const Message *message, const Item *item, const Window *window, const Rules *rules) noexcept nogil:
    """An item's text; 0 where there is nothing to say."""
    cdef const SlotRow *slot = slot_of(window, item.point)
    cdef const Attribute *attribute
    cdef char *begin = out
    cdef bint has_value = False
    cdef int i
    if slot == NULL or slot.kind == SLOT_NO_POINT:
        return 0
    if message.kind == OF_STATE:
        if slot.kind != SLOT_READING:
            return 0
        out = put(put(out, item.code, item.code_bytes), b"-RS=", 4)
        out[0] = 49 if slot.value[<int> RUN_S] else 48
        return <size_t> (out + 1 - begin)
    if slot.kind == SLOT_NONE:
        return <size_t> (put_flag(out, item, none_letter(slot, rules)) - begin)
    for i in range(item.attribute_count):
        attribute = &item.attributes[i]
        if not slot.present >> attribute.value & 1:
            continue
        out = put(put(out, item.code, item.code_bytes), attribute.suffix, attribute.suffix_bytes)
        if attribute.is_time:
            out = put_time(out, window.end_s - slot.value[attribute.value])
        else:
            out = put_decimal(out, slot.value[attribute.value], item, rules.half_up)
            has_value = True
        out[0] = 44
        out += 1
    if not has_value:
        return 0
    return <size_t> (put_flag(out, item, letter_of(window, slot, rules)) - begin)


cdef size_t head_size(const Message *message, const Rules *rules, bint split) noexcept nogil:
    """Bytes of a segment around CP's content: QN, ST to MN, Flag, PNUM and PNO, RF, CP=&&&&."""
    cdef size_t flag = rules.flag + 2 if split else rules.flag
    return 21 + message.head_bytes + (2 if flag >= 10 else 1) + 1 + (13 if split else 0) + (5 if rules.is_2025 else 0) + 7


cdef size_t pack(const Text *texts, size_t count, size_t room, size_t *ends) noexcept nogil:
    """Greedy: ends[g] is one past the last item of packet g; PACKETS_MAX + 1 where that many are not enough."""
    cdef size_t groups = 0, used = 9 + TIME_BYTES, i, begin = 0
    for i in range(count):
        if i > begin and used + texts[i].size + 1 > room:
            if groups == PACKETS_MAX:
                return PACKETS_MAX + 1
            ends[groups] = i
            groups += 1
            begin, used = i, 9 + TIME_BYTES
        used += texts[i].size + 1
    if groups == PACKETS_MAX:
        return PACKETS_MAX + 1
    ends[groups] = count
    return groups + 1


cdef size_t write_packet(
    char *out, const Message *message, const Text *texts, size_t begin, size_t end, int64_t time_s, uint64_t qn_ms,
    const Rules *rules, int pnum, int pno,
) noexcept nogil:
    """A whole packet; pnum 0: not split."""
    cdef char *segment = out + 6
    cdef char *at = put(segment, b"QN=", 3)
    cdef size_t i, size
    cdef uint16_t check
    at = put_digits(put_time(at, <int64_t> (qn_ms // 1000)), qn_ms % 1000, 3)
    at[0] = 59
    at = put(at + 1, message.head, message.head_bytes)
    at = put_number(at, <uint64_t> (rules.flag + 2 if pnum else rules.flag))
    if pnum:
        at = put(at, b";PNUM=", 6)
        at = put_digits(at, <uint64_t> pnum, 1)
        at = put(at, b";PNO=", 5)
        at = put_digits(at, <uint64_t> pno, 1)
    at = put(at, b";", 1)
    if rules.resent and rules.is_2025:
        at = put(at, b"RF=1;", 5)
    at = put(at, b"CP=&&DataTime=", 14)
    at = put_time(at, time_s)
    for i in range(begin, end):
        at[0] = 59
        at = put(at + 1, texts[i].at, texts[i].size)
    at = put(at, b"&&", 2)
    size = <size_t> (at - segment)
    put_digits(put(out, b"##", 2), size, 4)
    check = crc_of(<const uint8_t *> segment, size)
    for i in range(4):
        at[i] = b"0123456789ABCDEF"[check >> (12 - 4 * <int> i) & 15]
    at = put(at + 4, b"\r\n", 2)
    return <size_t> (at - out)


cdef class Plan:
    """What a platform wants of one station: its messages, their items in order. Made once a station."""

    cdef Message *messages
    cdef size_t count
    cdef size_t items_most
    cdef readonly str mn

    def __cinit__(self, str mn not None, messages):
        cdef Message *message
        rows = list(messages)
        self.mn = mn
        self.count = len(rows)
        self.messages = <Message *> calloc(self.count + 1, sizeof(Message))
        if self.messages == NULL:
            raise MemoryError
        for number, (kind, head, items) in enumerate(rows):
            message = &self.messages[<size_t> number]
            message.kind = <Kind> <int> kind
            text = (<bytes> head)
            if len(text) > HEAD_BYTES_MAX:
                raise ValueError("a head is too long")
            message.head_bytes = <uint16_t> len(text)
            memcpy(message.head, PyBytes_AS_STRING(text), message.head_bytes)
            self.set_items(message, list(items))

    cdef int set_items(self, Message *message, list rows) except -1:
        cdef Item *item
        cdef Attribute *attribute
        message.items = <Item *> calloc(len(rows) + 1, sizeof(Item))
        if message.items == NULL:
            raise MemoryError
        message.item_count = len(rows)
        if message.item_count > self.items_most:
            self.items_most = message.item_count
        for number, (point, code, decimals, divisor, attributes) in enumerate(rows):
            item = &message.items[<size_t> number]
            text = (<bytes> code)
            if not 1 <= point < POINTS_KNOWN or len(text) > CODE_BYTES_MAX or len(attributes) > ATTRIBUTES_MAX:
                raise ValueError("an item is out of bounds")
            if divisor < 1 or not 0 <= decimals <= 3:
                raise ValueError("a number's form is out of bounds")
            item.point, item.code_bytes, item.decimals = point, <uint8_t> len(text), decimals
            item.divisor, item.one = divisor, (1, 10, 100, 1000)[decimals]
            memcpy(item.code, PyBytes_AS_STRING(text), item.code_bytes)
            for suffix, value, is_time in attributes:
                attribute = &item.attributes[item.attribute_count]
                text = (<bytes> suffix)
                if len(text) > SUFFIX_BYTES_MAX or not 0 <= value < <int> VALUES:
                    raise ValueError("an attribute is out of bounds")
                attribute.suffix_bytes, attribute.value, attribute.is_time = <uint8_t> len(text), value, is_time
                memcpy(attribute.suffix, PyBytes_AS_STRING(text), attribute.suffix_bytes)
                item.attribute_count += 1
        return 0

    def __dealloc__(self):
        cdef size_t i
        if self.messages != NULL:
            for i in range(self.count):
                free(self.messages[i].items)
        free(self.messages)


cdef class Encoder:
    """The rules of one platform, and room to write in. For one thread."""

    cdef Rules rules
    cdef Text *texts
    cdef char *room
    cdef size_t items_room
    cdef char packet[PACKET_BYTES_MAX]

    def __cinit__(self, *, int flag, bint half_up, bytes letters not None):
        """letters: of a point that stood still, of few samples, of none because silent, garbled, other."""
        if not 4 <= flag <= 9 or len(letters) != 5:
            raise ValueError("a flag of an unsplit packet, and five letters")
        memset(&self.rules, 0, sizeof(Rules))
        self.rules.flag = <uint8_t> flag
        self.rules.is_2025 = flag >= 8
        self.rules.half_up = half_up
        self.rules.stopped, self.rules.few_samples = letters[0], letters[1]
        self.rules.none[0], self.rules.none[1], self.rules.none[2] = letters[2], letters[3], letters[4]

    def __dealloc__(self):
        free(self.texts)
        free(self.room)

    cdef int make_room(self, size_t items) except -1:
        cdef void *grown
        if items <= self.items_room:
            return 0
        grown = realloc(self.texts, items * sizeof(Text))
        if grown == NULL:
            raise MemoryError
        self.texts = <Text *> grown
        grown = realloc(self.room, items * ITEM_BYTES_MAX)
        if grown == NULL:
            raise MemoryError
        self.room = <char *> grown
        self.items_room = items
        return 0

    def encode(
        self, const uint8_t[::1] records not None, const uint8_t[::1] slots not None, Py_ssize_t row, int64_t start_s,
        Plan plan not None, uint64_t qn_ms, *, bint resent, bytes marked=None,
    ):
        """[(QN, data), ...] of the window in row `row` of a batch's records; None where 45 packets are not enough.

        records, slots: the tables' `rows`. The first packet has the QN of the Unix millisecond qn_ms, each other the next
        one. marked: 33 bytes, by point the letter that a check asks for, or 0.
        """
        cdef const RecordRow *record
        cdef Window window
        cdef size_t i
        cdef list found = []
        if row < 0 or (row + 1) * <Py_ssize_t> sizeof(RecordRow) > records.shape[0]:
            raise IndexError("no such record")
        record = &(<const RecordRow *> &records[0])[row]
        if (<size_t> record.first + record.count) * sizeof(SlotRow) > <size_t> slots.shape[0]:
            raise IndexError("slots of another batch")
        if marked is not None and len(marked) != POINTS_KNOWN:
            raise ValueError("a letter, or 0, for each point")
        window.slots = &(<const SlotRow *> &slots[0])[record.first] if record.count else NULL
        window.slot_count = record.count
        window.start_s = start_s
        window.end_s = start_s + record.length_s
        window.instant_s = window.end_s - since_last(&window)
        window.marked = <const uint8_t *> PyBytes_AS_STRING(marked) if marked is not None else NULL
        self.rules.resent = resent
        self.make_room(plan.items_most)
        for i in range(plan.count):
            if self.add(found, &plan.messages[i], &window, qn_ms + <uint64_t> len(found)) < 0:
                return None
        return found

    cdef int add(self, list found, const Message *message, const Window *window, uint64_t qn_ms) except? -2:
        """A message's packets; -1: too many."""
        cdef size_t ends[PACKETS_MAX + 1]
        cdef size_t count = 0, i, size, groups, begin = 0, most = PACKETS_A_MESSAGE, done = 0, number, part
        cdef char *at = self.room
        cdef int64_t time_s = window.start_s if message.kind == OF_PERIOD else window.instant_s
        for i in range(message.item_count):
            size = write_item(at, message, &message.items[i], window, &self.rules)
            if size:
                self.texts[count].at, self.texts[count].size = at, size
                at += size
                count += 1
        if count == 0:
            return 0
        groups = pack(self.texts, count, room_of(message, &self.rules, False), ends)
        if groups > 1:
            groups = pack(self.texts, count, room_of(message, &self.rules, True), ends)
        if groups > PACKETS_MAX:
            return -1
        while done < groups:
            part = groups - done if groups - done < most else most
            for number in range(part):
                size = write_packet(
                    self.packet, message, self.texts, begin, ends[done + number], time_s, qn_ms, &self.rules,
                    <int> part if part > 1 else 0, <int> number + 1,
                )
                found.append(self.as_pair(size))
                begin = ends[done + number]
                qn_ms += 1
            done += part
            most -= 1
        return 0

    cdef tuple as_pair(self, size_t size):
        """(QN, data) of the packet that was written."""
        return ((self.packet + 9)[:QN_BYTES]).decode("ascii"), PyBytes_FromStringAndSize(self.packet, <Py_ssize_t> size)


cdef inline size_t room_of(const Message *message, const Rules *rules, bint split) noexcept nogil:
    cdef size_t room = SEGMENT_BYTES_MAX - head_size(message, rules, split)
    return room if room < CP_BYTES_MAX else CP_BYTES_MAX


cdef inline int64_t since_last(const Window *window) noexcept nogil:
    """From the sample that was last of all points to the window's end; 0 without a reading."""
    cdef int64_t least = -1
    cdef uint32_t i
    for i in range(window.slot_count):
        if window.slots[i].kind == SLOT_READING and (least < 0 or window.slots[i].value[<int> LAST_S] < least):
            least = window.slots[i].value[<int> LAST_S]
    return least if least > 0 else 0
