"""Every bound of the wire format, each with its reason (SPEC.md, FR-40 to FR-49)."""

VERSION = 1

FRAME_BYTES_MAX = 4096  # a terminal builds it in one buffer beside TLS; every broker and modem takes it whole
RECORDS_MAX = 64  # a frame of the shortest records still fits FRAME_BYTES_MAX
POINTS_MAX = 32  # 32 worst-case readings fit one frame; a switchboard has 9 points on average
ACK_RANGES_MAX = 64  # an ack that answers the most records a frame can hold, one by one
DOCUMENT_BYTES_MIN = 2  # "{}"
DOCUMENT_BYTES_MAX = 4000  # a configuration is whole in one frame, beside 73 bytes of envelope and echo
CONFIGURATION_TRIAL_S = 3600  # four windows' frames that the gateway could have acknowledged
SIGNED_BYTES_MAX = 1024  # a release's manifest with 8 precursors takes 520, a ticket 150
AUTHORITIES_MAX = 4  # that a terminal believes: the one in use, the next, and as many of a second operator
POINT_BYTES = 64  # x and y of a point of P-256
CHUNK_BYTES_MAX = 4000  # of a release, beside 78 bytes of envelope, number, offset and echo
ECHO_MS_MAX = 120000  # a modem that wakes up takes tens of seconds, a slow bus brings 4096 bytes in 40 s
EVENT_INTS_MAX = 8  # an event says what happened; it is not a data carrier
TERMINAL_CHARS_MAX = 32  # fits a topic, a label and a QR code

UINT32_MAX = 0xFFFFFFFF
VERSION_MAX = 0xFFFFFFFFFFFFFFFF  # any unsigned integer can be a version: a newer one is unknown, never malformed
WINDOW_S = 900  # the regulator's interval; a window is cut short only by the first clock set
SAMPLES_DUE_MAX = 900  # one a second: a 9600 baud bus does no better
CLOCK_SOURCE_MAX = 3
CLOCK_ERROR_S_MAX = 0xFFFF  # this value also means "not known"
VOLTAGE_DV_MAX = 1_000_000  # 100 kV: above every metered feeder
POWER_W_MAX = 0x7FFFFFFF  # 2.1 GW: above every metered feeder
CURRENT_MA_MAX = 0x7FFFFFFF  # 2.1 MA
PF_MILLI_MAX = 1000
ENERGY_WH_MAX = (1 << 53) - 1  # exact in JSON, SQLite and every host language
UPTIME_MS_MAX = (1 << 53) - 1
TIME_MS_MAX = (1 << 53) - 1
FLAGS_MAX = 0xFFFF
NONE_REASON_MAX = 255
EVENT_CODE_MAX = 255
REFUSAL_MAX = 255
GENERATION_MAX = 255  # one byte: a key a quarter for 63 years

UP = 0
DOWN = 1

# kinds of what goes down
ACK = 1
REQUEST = 2
CONFIGURATION = 3
OFFER = 4
CHUNK = 5
ABORT = 6
KEY_OFFER = 7
KEY_USE = 8
CERTIFICATES = 9
