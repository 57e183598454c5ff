"""The monthly report counts what the journal has, and says what it does not have."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from gateway import cli_monthly
from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import FILE, Journal
from gateway.monthly.account import UNPLACED, energy_by_period, steps_of
from gateway.registry import Registry
from gateway.watch import enterprises
from gateway.watch.slots import SLOT_S, Slot
from gateway.watch.tariff import PeriodEntry, Tariff, TariffEntry, of_entry
from protocol.host.strict import ConfigError
from tests.gateway.support import Sender, accept, commit, reading, terminal_of, window, write_key
from tests.gateway.watch.plant import ENTERPRISE, POINTS, configured

SENDER = Sender()
BEGIN_S = int(datetime(2026, 2, 28, 16, tzinfo=UTC).timestamp())  # 1 March, midnight at UTC+8
TARIFF = """
[tariff]
grid_co2_g_per_kwh = 570

[[tariff.period]]
name = "valley"
from = "23:00"
to = "07:00"

[[tariff.period]]
name = "flat"
from = "07:00"
to = "23:00"
"""


def tariff() -> Tariff:
    periods = [
        PeriodEntry(name="valley", from_="23:00", to="07:00"),
        PeriodEntry(name="flat", from_="07:00", to="23:00"),
    ]
    return of_entry(TariffEntry(period=periods))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5_000)), min_size=2, max_size=200), st.integers(0, 90))
def test_each_watt_hour_of_a_register_is_in_one_period_or_said_to_be_in_none(
    told: list[tuple[bool, int]], shift: int
) -> None:
    """P-327: what rose over a gap is unplaced, never guessed; the sum is the register's rise."""
    slots, register = {}, 1_000_000
    for number, (is_there, rise_wh) in enumerate(told):
        register += rise_wh
        if is_there:
            slots[BEGIN_S + (number + shift) * SLOT_S] = Slot(SLOT_S, 1.0, register)
    found = energy_by_period(slots, (BEGIN_S, BEGIN_S + 400 * SLOT_S), tariff())
    registers = [slot.energy_wh or 0 for _, slot in sorted(slots.items())]
    assert sum(found.values()) == (registers[-1] - registers[0] if registers else 0)
    if all(is_there for is_there, _ in told):
        assert UNPLACED not in found


@given(st.lists(st.tuples(st.sampled_from([False] * 4 + [True]), st.integers(0, 5_000)), min_size=2, max_size=100))
def test_a_register_that_steps_is_no_energy_and_said(told: list[tuple[bool, int]]) -> None:
    """P-367: what it rose by then is in no period, and told as what is not known; a fall likewise."""
    slots, register = {}, 1_000_000
    for number, (is_step, rise_wh) in enumerate(told):
        register += (-1) ** number * 10**5 + rise_wh if is_step else rise_wh
        slots[BEGIN_S + number * SLOT_S] = Slot(SLOT_S, 1.0, register, is_step)
    span = (BEGIN_S, BEGIN_S + len(told) * SLOT_S)
    assert sum(energy_by_period(slots, span, tariff()).values()) == sum(
        rise for is_step, rise in told[1:] if not is_step
    )
    steps = [(number, rise_wh) for number, (is_step, rise_wh) in enumerate(told) if is_step and number]
    assert steps_of(slots, span) == [(-1) ** number * 10**5 + rise_wh for number, rise_wh in steps]


def test_periods_are_those_of_the_local_day() -> None:
    """P-327."""
    assert [tariff().period(BEGIN_S + hour * 3600) for hour in (0, 6, 7, 22, 23)] == [
        "valley",
        "valley",
        "flat",
        "flat",
        "valley",
    ]


@pytest.mark.parametrize("hole", [('from = "07:00"', 'from = "07:15"'), ('from = "07:00"', 'from = "06:45"')])
def test_a_day_that_periods_do_not_cover_once_is_refused(tmp_path: Path, hole: tuple[str, str]) -> None:
    """P-327: by file and key."""
    configured(tmp_path, SENDER, ENTERPRISE + TARIFF.replace(*hole))
    with pytest.raises(ConfigError, match=r"tariff\.period"):
        enterprises.load(tmp_path / "enterprises.toml", Registry([terminal_of(SENDER, POINTS)]))


def test_a_month_that_is_not_over_has_the_days_that_are() -> None:
    """P-327: or its completeness would be of days to come."""
    end_s = BEGIN_S + 31 * 86_400
    assert cli_monthly._span("2026-03", 8 * 3600, end_s + 1) == (BEGIN_S, end_s)
    assert cli_monthly._span("2026-03", 8 * 3600, BEGIN_S + 3 * 86_400 - 1) == (BEGIN_S, BEGIN_S + 2 * 86_400)
    for month, now_s in (("2026-03", BEGIN_S + 86_399), ("2099-01", BEGIN_S), ("9999-12", BEGIN_S)):
        with pytest.raises(typer.Exit):
            cli_monthly._span(month, 8 * 3600, now_s)


def test_a_month_is_a_sheet_and_a_table(tmp_path: Path) -> None:
    """P-327, P-367: two days of production, treatment off on the second; a window missing; a register that jumps; a
    name that is markup.
    """
    named = ENTERPRISE.replace("First steelworks", "<b>钢厂</b>")
    config = configured(tmp_path, SENDER, named + TARIFF)
    journal = Journal(tmp_path / "data", VerifyConfig())
    rated = {number: replace(one, rated_power_w=10_000) for number, one in POINTS.items()}  # or no jump is known
    for number in range(192):
        if number == 50:
            continue
        powers = (4000, 800 if number < 96 else 0)
        register = 10**6 if number < 150 else 10**9  # a jump, over one window's energy
        shown = [
            reading(p_mean_w=power, p_min_w=power, p_max_w=power, e_import_wh=register + number * power // 4)
            for power in powers
        ]
        start_s = BEGIN_S + number * SLOT_S
        sealed = SENDER.frame([window(number, start_s, shown)])
        commit(journal, [accept(SENDER, sealed, rated, start_s + SLOT_S)])
    journal.close()
    words = ["monthly", "--config", str(config), "--month", "2026-03", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    sheet = (tmp_path / "out" / "E1-2026-03.html").read_text()
    assert "&lt;b&gt;钢厂&lt;/b&gt;" in sheet
    assert "<b>" not in sheet
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "E1-2026-03.csv").read_text("utf-8-sig"))))
    furnace = dict(zip(rows[0], rows[1], strict=True))
    assert (furnace["valley_wh"], furnace["flat_wh"], furnace["unplaced_wh"]) == ("63000", "125000", "2000")
    assert (furnace["total_wh"], furnace["register_steps"], furnace["left_out_wh"]) == ("190000", "1", "999001000")
    assert "190.0 .. 999,191.0 kWh" in sheet
    linkage = dict(zip(rows[4], rows[5], strict=True))
    assert (linkage["production_h"], linkage["unused_days"], linkage["switched_off"]) == ("47.75", "1", "1")
    assert CliRunner().invoke(app, [*words[:4], "march"]).exit_code == 1


def test_a_damaged_enterprise_is_named_and_the_others_get_their_sheets(tmp_path: Path) -> None:
    """P-502: whichever of them is the first; the status says that not all is done."""
    other = ENTERPRISE.replace("E1", "E2").replace("T0001", "T0002")
    config = configured(tmp_path, SENDER, other + ENTERPRISE + TARIFF)
    terminals = tmp_path / "terminals.toml"
    terminals.write_text(terminals.read_text() + terminals.read_text().replace("T0001", "T0002"))
    write_key(tmp_path / "T0002.hex", bytes(range(32)))
    journal = Journal(tmp_path / "data", VerifyConfig())
    for sender in (Sender("T0002", secret=bytes(range(32))), SENDER):
        sealed = sender.frame([window(0, BEGIN_S, [reading()] * 2)])
        commit(journal, [accept(sender, sealed, POINTS, BEGIN_S + SLOT_S)])
    journal.close()
    with closing(sqlite3.connect(tmp_path / "data" / FILE)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3) WHERE first = 1")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["monthly", "--config", str(config), "--month", "2026-03", "--out", str(out), "--json"]
    )
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output
    damaged, sound = (json.loads(line) for line in done.stdout.splitlines())
    assert (damaged["enterprise"], "block ends within a frame" in damaged["damaged"]) == ("E2", True)
    assert (sound["enterprise"], sorted(one.name for one in out.iterdir())) == (
        "E1",
        ["E1-2026-03.csv", "E1-2026-03.html"],
    )
    assert "E2: no sheet" in done.stderr
    assert "run: wattline gateway audit" in done.stderr
