"""What the Modbus intake counts: every poll, refusal, silence and ack by its reason; labels come from closed lists."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class ModbusMetrics:
    """In the gateway's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.visits = Counter(
            "wattline_modbus_visits",
            "Visits to a terminal, by result: empty, frame, failed.",
            ["result"],
            registry=registry,
        )
        self.refused = Counter(
            "wattline_modbus_refused",
            "Answers not taken, by reason (gateway/modbus_intake/link.py, protocol/mailbox.py).",
            ["reason"],
            registry=registry,
        )
        self.acks = Counter(
            "wattline_modbus_acks",
            "Acks, by result: written; lost (its write failed); none (nothing of the frame is durable); "
            "not_taken (the same frame came again); dropped (too many wait).",
            ["result"],
            registry=registry,
        )
        self.silent = Gauge(
            "wattline_modbus_silent_terminals", "Terminals that failed when last asked.", registry=registry
        )
        self.waiting = Gauge(
            "wattline_modbus_waiting_records",
            "Records that wait at the terminals, as they said last, by lane: live, backlog.",
            ["lane"],
            registry=registry,
        )
        self.fetch_seconds = Histogram(
            "wattline_modbus_fetch_seconds",
            "From the first read of a visit to the frame's last byte.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.crashes = Counter(
            "wattline_modbus_crashes", "Faults of our own; the line begins again.", registry=registry
        )
