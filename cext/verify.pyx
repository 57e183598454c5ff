# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""What authenticated records say, over the columns of a batch, without a Python object for a record or a reading.

`check_columns`: what each record says of itself. `Ledger`: which records are new, and what the step of their energy
registers from the records before says. The checks' names and meanings stand in gateway/verify.py.
The parts, each one file: rows.pxi and bounds.pxi (the decoder's), check_names.pxi, energy.pxi, checks.pxi, powers.pxi,
ledger.pxi, presence.pxi.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

include "bounds.pxi"
include "rows.pxi"
include "check_names.pxi"
include "energy.pxi"

NOTE, MARK, REFUSE = "note", "mark", "refuse"

# by number (check_names.pxd); what each says stands in gateway/verify.py
NAMES = (
    "", "time_before_2020", "time_far_in_future", "time_in_future", "window_not_aligned", "point_unknown",
    "energy_fell", "energy_jumped", "energy_step", "energy_not_power", "phases_not_total", "samples_none",
    "point_missing", "few_samples", "clock_uncertain", "flag_unknown", "epoch_back",
    "meter_not_commissioned",
)
SEVERITIES = {
    name: ("note", "mark", "refuse")[<int> severity_of(<Check> number) - 1] for number, name in enumerate(NAMES) if number
}


include "checks.pxi"
include "powers.pxi"
include "ledger.pxi"
include "presence.pxi"
