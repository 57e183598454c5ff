"""The benchmarks' machinery; how fast anything is, no test says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hil.benchmarks import runner, timing
from hil.benchmarks.__main__ import app
from hil.benchmarks.cases import decode
from hil.benchmarks.page import page, reached
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples, interleave


def test_contenders_take_turns_and_each_round_begins_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def worker(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    monkeypatch.setattr(timing, "MEASURE_NS", 0)
    samples = interleave({name: worker(name) for name in "abc"}, 4, 1)
    assert "".join(called) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert [len(one.values) for one in samples.values()] == [4, 4, 4]


def test_a_ratio_is_taken_round_by_round() -> None:
    ours, theirs = Samples([1.0, 2.0, 4.0]), Samples([10.0, 20.0, 44.0])
    assert theirs.over(ours).values == [10.0, 10.0, 11.0]
    assert theirs.over(ours).median == 10.0
    assert Samples([5.0] * 9).spread == 0.0


def test_every_benchmark_says_what_it_measures() -> None:
    found = runner.names()
    assert "decode" in found
    assert all(what.endswith(".") for what in found.values())


def test_decode_gives_the_figures_that_were_promised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """R-26"""
    monkeypatch.setattr(decode, "BATCH", 4)
    monkeypatch.setattr(decode, "OTHER_BATCHES", (1,))
    result = runner.run("decode", Options(rounds=2, seed=5))
    runner.write({"decode": result}, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert all(set(line) == {"name", "value", "unit", "spread", "peer"} for line in report)
    named = {line["name"]: line for line in report}
    assert named["decode.frames_per_s"]["value"] > 0
    for name in ("decode.ratio_hmac_cbor2", "decode.ratio_cbor2"):
        assert named[name]["value"] > 0
        assert re.search(r"cbor2 6\.\d", named[name]["peer"])
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert html.count("<svg") == len(result.charts)
    assert not re.search(r"src=|href=\"[^#]|@import|https?:", html), "the page needs nothing else"


def test_the_page_takes_any_text() -> None:
    chart = Chart("<b>", "&", [Bar("<i>", 0), Bar("x", 250.0, ours=True)], line=3)
    html = page({"<case>": Result([Figure("a<b", 1.5, "ns", 0, "<peer>")], [chart], notes=["<note>"])}, "<machine>")
    for text in ("<b>", "<i>", "<case>", "<peer>", "<note>", "<machine>"):
        assert text not in html


def test_a_goal_is_reached_or_missed() -> None:
    goals: list[tuple[str, float, float]] = [
        ("at least 10", 10, 9.9), ("at most 8", 8, 8.1), ("below 256", 255, 256), ("at least 100,000", 1e5, 1)
    ]  # fmt: skip
    for goal, good, bad in goals:
        assert reached(Figure("x", good, "", 0, "", goal)) == "reached"
        assert reached(Figure("x", bad, "", 0, "", goal)) == "missed"
    for odd in ("fast", "at least ten", "some 10"):
        assert not reached(Figure("x", 1, "", 0, "", odd))
    html = page(
        {"case": Result([Figure("x.y", 1, "s", 0, "", "at most 2"), Figure("x.z", 3, "s", 0, "", "below 2")])}, ""
    )
    assert (html.count('<td class="reached">'), html.count('<td class="missed">')) == (1, 1)


def test_contenders_that_do_not_agree_are_not_measured() -> None:
    batch = decode.batch_of(2, seed=1)
    decode.check(batch)
    batch.frames[1] = batch.frames[1][:-1] + bytes([batch.frames[1][-1] ^ 1])
    with pytest.raises(RuntimeError, match="do not agree"):
        decode.check(batch)
    with pytest.raises(ValueError, match="tag is wrong"):
        decode.contenders(batch)["hmac_cbor2"]()


def test_a_benchmark_that_is_not_there_is_named_with_those_that_are() -> None:
    done = CliRunner().invoke(app, ["decoed"])
    assert done.exit_code == 2
    assert "decoed: there is" in done.output
    assert "decode" in done.output
    listed = CliRunner().invoke(app, ["--list"])
    assert listed.exit_code == 0
    assert "decode: Verify and decode" in listed.output
