"""Prometheus metrics. Every loss, refusal, mark, repetition and delay has a counter; labels come from closed lists."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from protocol.host import program

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
DELAYS_S = (10, 60, 300, 900, 1800, 3600, 7200, 21600, 86400, 604800)


class Delays(Collector):
    """From a window's end to its acceptance: a histogram that takes a batch at a time, counted already."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts = [0] * (len(DELAYS_S) + 1)
        self._total_s = 0
        registry.register(self)

    def add(self, counts: Sequence[int], total_s: int) -> None:
        """counts[i]: windows late by up to DELAYS_S[i], the last one by more; total_s: their sum."""
        self._counts = [a + b for a, b in zip(self._counts, counts, strict=True)]
        self._total_s += total_s

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client asks for it, from a thread of its own."""
        bounds = [*(f"{limit}.0" for limit in DELAYS_S), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(
            "wattline_window_delay_seconds",
            "From a window's end to its acceptance, of windows that carry a time.",
            buckets=buckets,
            sum_value=float(self._total_s),
        )


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._make_intake()
        self._make_stores()
        self._make_sinks()
        self._make_gaps()
        self._make_wanted()
        self._make_updates()
        self._make_program()

    def serve(self, port: int) -> tuple[int, Callable[[], None]]:
        """Serve /metrics on loopback, in the background: (the port, for 0 the one that the OS chose; how to end it)."""
        server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return int(server.server_port), close

    def _make_program(self) -> None:
        here = program.this()
        self.program = Info("wattline_build", "The program: its version and commit.", registry=self.registry)
        self.program.info({"version": here.version, "commit": here.commit, "changed": str(here.changed).lower()})

    def _make_intake(self) -> None:
        registry = self.registry
        self.frames = Counter(
            "wattline_frames",
            "Frames taken from the broker, by result: accepted, repeated, refused.",
            ["result"],
            registry=registry,
        )
        self.frames_refused = Counter(
            "wattline_frames_refused",
            "Frames and records sent to quarantine, by reason.",
            ["reason"],
            registry=registry,
        )
        self.records = Counter(
            "wattline_records", "Records, by outcome: new, repeated, conflict, refused.", ["outcome"], registry=registry
        )
        self.findings = Counter(
            "wattline_findings", "What verify found, by check and severity.", ["check", "severity"], registry=registry
        )
        self.delay = Delays(registry)
        self.waiting = Gauge("wattline_intake_waiting_frames", "Frames in memory, not taken yet.", registry=registry)
        self.connected = Gauge("wattline_broker_connected", "1 while subscribed at the broker.", registry=registry)
        self.disconnects = Counter("wattline_broker_disconnects", "Connections to the broker lost.", registry=registry)
        self.acks = Counter(
            "wattline_acks",
            "Acks to terminals, by result: sent, dropped, refused by the broker.",
            ["result"],
            registry=registry,
        )

    def _make_stores(self) -> None:
        registry = self.registry
        self.commit_seconds = Histogram(
            "wattline_commit_seconds", "A batch's commit to the journal.", buckets=_SECONDS, registry=registry
        )
        self.ack_seconds = Histogram(
            "wattline_ack_seconds", "From taking a batch to its acks' going down.", buckets=_SECONDS, registry=registry
        )
        self.batch_frames = Histogram(
            "wattline_batch_frames", "Frames a commit.", buckets=(1, 2, 5, 10, 50, 100, 500, 1000), registry=registry
        )
        self.store_errors = Counter(
            "wattline_store_errors",
            "Writes that the disk refused, by store; intake waits.",
            ["store"],
            registry=registry,
        )
        self.quarantine_frames = Gauge("wattline_quarantine_frames", "Frames in quarantine.", registry=registry)
        self.quarantine_bytes = Gauge("wattline_quarantine_bytes", "Bytes in quarantine.", registry=registry)
        self.quarantine_evicted = Counter(
            "wattline_quarantine_evicted", "Refused frames dropped because quarantine was full.", registry=registry
        )
        self.retired = Counter(
            "wattline_journal_retired",
            "What left the journal by its age or size: frames, records, windows that never got a time (unplaced).",
            ["what"],
            registry=registry,
        )
        self.retention_held = Gauge(
            "wattline_journal_retention_held",
            "1 while a sink needs what is older than [journal] says.",
            ["sink"],
            registry=registry,
        )
        self.terminals = Gauge("wattline_terminals_admitted", "Terminals in the registry.", registry=registry)
        self.reloads = Counter("wattline_reloads", "Reloads, by result: done, refused.", ["result"], registry=registry)

    def _make_sinks(self) -> None:
        registry, by_sink = self.registry, ["sink"]
        self.sink_delivered = Counter(
            "wattline_sink_delivered_records", "Records that the sink confirmed.", by_sink, registry=registry
        )
        self.sink_skipped = Counter(
            "wattline_sink_skipped_records",
            "Records that this sink does not carry, by reason.",
            ["sink", "reason"],
            registry=registry,
        )
        self.sink_dead = Counter(
            "wattline_sink_dead_records",
            "Records that the sink can't take, by reason.",
            ["sink", "reason"],
            registry=registry,
        )
        self.sink_log_texts_refused = Counter(
            "wattline_sink_log_texts_refused",
            "Log texts (HJ 212, CN 3020) that the watch had a platform told, and that were refused or given up.",
            by_sink,
            registry=registry,
        )
        self.sink_packets = Counter(
            "wattline_sink_packets",
            "Packets, by result (gateway/forward/hj212/session.py).",
            ["sink", "result"],
            registry=registry,
        )
        self.sink_clock_off = Gauge(
            "wattline_sink_clock_off_seconds",
            "The platform's clock against ours, when it told.",
            by_sink,
            registry=registry,
        )
        self.sink_crashes = Counter(
            "wattline_sink_crashes", "Faults of a sink's own; it begins again.", by_sink, registry=registry
        )
        self.sink_connected = Gauge("wattline_sink_connected", "1 while it works.", by_sink, registry=registry)
        self.sink_failures = Counter(
            "wattline_sink_failures",
            "Times that the sink took nothing, by reason (gateway/forward/sink.py).",
            ["sink", "reason"],
            registry=registry,
        )
        self.sink_lag = Gauge(
            "wattline_sink_lag_records",
            "Records accepted that the sink has not confirmed, without log texts.",
            by_sink,
            registry=registry,
        )
        self.sink_texts_waiting = Gauge(
            "wattline_sink_log_texts_waiting",
            "Log texts (HJ 212, CN 3020) of alarms and events that the platform has not answered.",
            by_sink,
            registry=registry,
        )

    def _make_gaps(self) -> None:
        registry = self.registry
        self.windows_due = Gauge(
            "wattline_windows_due", "Windows due in the last day, points counted one by one.", registry=registry
        )
        self.windows_received = Gauge("wattline_windows_received", "Of these, received.", registry=registry)
        self.windows_missing = Gauge(
            "wattline_windows_missing",
            "Of these, missing, by cause (gateway/gaps/words.py).",
            ["cause"],
            registry=registry,
        )

    def _make_wanted(self) -> None:
        registry = self.registry
        self.down = Counter(
            "wattline_down_messages",
            "What went to terminals beside acks (gateway/downward.py), by kind and result: sent, dropped.",
            ["kind", "result"],
            registry=registry,
        )
        self.records_asked = Counter(
            "wattline_records_asked",
            "Records that terminals were asked for: asked by the gateway itself; came, gone, refused, given_up.",
            ["outcome"],
            registry=registry,
        )
        self.records_absent = Gauge(
            "wattline_records_absent",
            "Numbers that terminals gave to records which have not come, and nothing explains.",
            registry=registry,
        )
        self.configurations = Counter(
            "wattline_configurations",
            "What terminals said of configurations: taken, refused, rolled_back.",
            ["state"],
            registry=registry,
        )
        self.configurations_pending = Gauge(
            "wattline_configurations_pending", "Terminals whose configuration is not confirmed.", registry=registry
        )

    def _make_updates(self) -> None:
        registry = self.registry
        self.keys_unread = Gauge(
            "wattline_keys_unread",
            "Keys that were agreed on over the air and can't be opened: who uses one is not heard.",
            registry=registry,
        )
        self.update_terminals = Gauge(
            "wattline_update_terminals",
            "Terminals of rollouts that are not over, by state (gateway/updates/stages.py).",
            ["state"],
            registry=registry,
        )
        self.update_states = Counter(
            "wattline_update_states", "Terminals that came into this state.", ["state"], registry=registry
        )
        self.update_bytes = Counter("wattline_update_bytes", "Bytes of releases that were sent.", registry=registry)
        self.rollouts = Gauge(
            "wattline_rollouts", "Rollouts that are not over: running, halted.", ["state"], registry=registry
        )
        self.rollouts_halted = Counter(
            "wattline_rollouts_halted", "Rollouts that halted by themselves.", registry=registry
        )
