# What the bus asks of a protocol that meters speak: a module with these names, and the bus uses nothing else of it.
#
#   PIECE_MS                  the longest pause within an answer that is waited through
#   request(address, read)    the Request for one Read; its `raw` goes out. ValueError for what is not a plain read.
#   following(request, part)  the Request for what comes after `part` parts of an answer, each of them MORE
#   scan(data, request)       what `data`, all that came since the request, says: (verdict, value, bytes that nothing
#                             explains). An intact answer is found behind noise, echoes and frames that are not ours.
#
# No protocol has an encoder for a command that changes a meter, and none can be asked for.
from collections import namedtuple

GOT = 0  # value: the bytes of the data, as Read asked for them
EXCEPTION = 1  # the meter refused; value: its code
GARBLED = 2  # bytes came that are no answer, and none of them can still become one
INCOMPLETE = 3  # nothing yet, or the beginning of an answer
MORE = 4  # value: a part of the data; the next one is to be asked for

# the refusal's code for "not in this meter": Modbus' illegal data address, DL/T 645-2007's bit "no such data"
NO_SUCH_DATA = 2

# Modbus: function, first register, number of registers. DL/T 645: function, data identifier, 0.
Read = namedtuple("Read", ("function", "first", "count"))
