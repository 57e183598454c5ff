"""The same gateways killed in the burst, and with the platform away: readings lost, and counted twice."""

from gateway.config import MqttSinkConfig
from hil.benchmarks.cases.peers import TITLES
from hil.benchmarks.ingest.load import POINTS
from hil.benchmarks.peers.arena import Fault, Load, run
from hil.benchmarks.peers.contenders import ALL
from hil.benchmarks.result import Figure, Options, Result, Table
from hil.process import BenchError

AWAY_S = 8.0
# what was under way when the fault came is sent again, as it was: one batch, of one message a record here
DOUBLED_MAX = MqttSinkConfig(name="up", host="").batch_records * POINTS
LIMIT_S = 120.0
# a fault must fall into the burst, and the wait be longer than a restart and a reconnect (Node-RED's is after 15 s)
LOADS = {
    "ours": (Load(210, 20_160, 0, 20.0, LIMIT_S), 0.3),
    "naive": (Load(105, 5_040, 0, 20.0, LIMIT_S), 0.5),
    "nodered": (Load(105, 10_080, 0, 20.0, LIMIT_S), 0.8),
    "thingsboard": (Load(21, 1_512, 0, 15.0, LIMIT_S), 2.0),
}
NOTES = [
    "killed: kill -9 in the burst, and started again at once.",
    "Each is some way into its burst then: Wattline after 0.3 s, obvious Python 0.5, Node-RED 0.8, ThingsBoard 2.",
    f"platform away: for {AWAY_S:g} s from that moment on, connections cut and refused.",
    "lost: of the readings due, those that the platform never got, until nothing came any more. doubled: got twice.",
    "Wattline sends again, to the byte, the batch that was under way; each record has a name by which it counts once.",
    "One run each; other runs give other counts. The broker keeps a session for each gateway, and lost nothing.",
]


def measure(options: Options) -> Result:
    """See the module. A contender that does not start is a failure; so is a reading of ours that is lost, and more of
    them doubled than one batch has.
    """
    figures: list[Figure] = []
    rows: list[list[str]] = []
    failures: list[str] = []
    for name, contender in ALL.items():
        load, after_s = LOADS[name]
        cells = [f"{TITLES[name]} {contender.version()}"]
        for kind in ("kill", "away"):
            try:
                outcome = run(contender, load._replace(seed=options.seed), Fault(kind, after_s, AWAY_S))
            except BenchError as error:
                failures.append(f"{name}, {kind}: {error}")
                cells += ["failed", "failed"]
                continue
            for what, count in (("lost", outcome.lost), ("doubled", outcome.doubled)):
                figures.append(Figure(f"faults.{name}_{kind}_{what}", count, "readings", 0, cells[0]))
                cells.append(_share(count, outcome.due))
                if name == "ours" and count > (DOUBLED_MAX if what == "doubled" else 0):
                    failures.append(f"ours, {kind}: {count} of {outcome.due} readings {what}")
        rows.append(cells)
    heading = ["gateway", "killed: lost", "killed: doubled", "platform away: lost", "platform away: doubled"]
    return Result(figures, tables=[Table("What a fault costs", heading, rows)], notes=NOTES, failures=failures)


def _share(count: int, due: int) -> str:
    return f"{count:,} of {due:,} ({count / due:.1%})" if count else "0"
