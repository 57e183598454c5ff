"""Hypothesis strategies for everything that travels, at and within every bound."""

from hypothesis import strategies as st

from protocol import limits, mac, record

SECRET = bytes(range(32))
UINT32 = st.integers(0, limits.UINT32_MAX)
UINT53 = st.integers(0, limits.ENERGY_WH_MAX)
POWER = st.integers(-limits.POWER_W_MAX, limits.POWER_W_MAX)
CURRENT = st.integers(-limits.CURRENT_MA_MAX, limits.CURRENT_MA_MAX)
VOLTAGE = st.integers(0, limits.VOLTAGE_DV_MAX)
TERMINALS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
GENERATIONS = st.integers(1, limits.GENERATION_MAX)
KEYS = st.builds(mac.Key, st.binary(min_size=32, max_size=32), GENERATIONS)


@st.composite
def readings(draw: st.DrawFn, length_s: int, due: int) -> record.Reading:
    """A reading within a window of that length."""
    first_s = draw(st.integers(0, length_s))
    mean = draw(st.none() | POWER)
    ia = draw(st.none() | CURRENT)
    power = limits.POWER_W_MAX
    values = [
        first_s,
        draw(st.integers(0, length_s - first_s)),
        draw(st.integers(0, length_s)),
        mean,
        None if mean is None else draw(st.none() | st.integers(-power, mean)),
        None if mean is None else draw(st.none() | st.integers(mean, power)),
        *[draw(st.none() | UINT53) for _ in range(4)],
        *[draw(st.none() | VOLTAGE) for _ in range(3)],
        ia,
        *[None if ia is None else draw(st.none() | CURRENT) for _ in range(2)],
        draw(st.none() | st.integers(-limits.PF_MILLI_MAX, limits.PF_MILLI_MAX)),
        draw(st.sampled_from([0, 0, 1, 3, limits.FLAGS_MAX])),
        draw(st.just(0) | st.integers(0, due)),
        draw(st.none() | POWER),
    ]
    return record.Reading(*values)


@st.composite
def windows(draw: st.DrawFn, points_max: int = 6) -> record.Window:
    """A window with a few points."""
    length_s = draw(st.just(limits.WINDOW_S) | st.integers(1, limits.WINDOW_S))
    due = draw(st.integers(0, limits.SAMPLES_DUE_MAX))
    slot = st.none() | st.integers(1, limits.NONE_REASON_MAX) | readings(length_s, due)
    return record.Window(
        draw(st.none() | UINT32),
        length_s,
        draw(UINT32),
        draw(UINT32),
        draw(st.integers(0, limits.CLOCK_SOURCE_MAX)),
        draw(st.integers(0, limits.CLOCK_ERROR_S_MAX)),
        due,
        draw(st.lists(slot, max_size=points_max)),
    )


def events() -> st.SearchStrategy[record.Event]:
    """Any event."""
    bound = limits.ENERGY_WH_MAX
    return st.builds(
        record.Event,
        st.none() | UINT32,
        UINT32,
        UINT32,
        st.integers(0, limits.CLOCK_SOURCE_MAX),
        st.integers(0, limits.CLOCK_ERROR_S_MAX),
        st.integers(0, limits.EVENT_CODE_MAX),
        st.none() | st.integers(1, limits.POINTS_MAX),
        st.lists(st.integers(-bound, bound), max_size=limits.EVENT_INTS_MAX),
    )


def record_bytes() -> st.SearchStrategy[bytes]:
    """Any record, encoded."""
    return st.builds(record.encode_window, UINT32, windows()) | st.builds(record.encode_event, UINT32, events())


def payload_fields() -> st.SearchStrategy[tuple[int, int, int, list[bytes]]]:
    """epoch, boot_id, sent_ms and records that fit one frame."""
    return st.tuples(UINT32, UINT32, UINT53, st.lists(record_bytes(), min_size=1, max_size=4)).filter(
        lambda fields: sum(map(len, fields[3])) < 3900
    )


@st.composite
def ranges(draw: st.DrawFn, reasons: bool = False) -> list[tuple[int, ...]]:
    """Ascending ranges that do not overlap, with or without reasons."""
    ends = sorted(draw(st.sets(UINT32, max_size=2 * 12)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    return [(a, b, draw(st.integers(1, limits.REFUSAL_MAX))) if reasons else (a, b) for a, b in pairs]
