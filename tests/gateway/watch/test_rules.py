"""rules.toml: refused by file and key; and a rule that throws."""

from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.watch import honesty, rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from protocol.host.strict import ConfigError
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, reading, terminal_of, window
from tests.gateway.watch.plant import POINTS

SENDER = Sender()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[silent]\nafter_min = 0\n", "silent.after_min"),
        ("[frozen]\nwindows = 3\n", "frozen.windows"),
        ("[transformer]\nload = 10\n", "transformer.load"),
        ("[freezing]\n", "freezing"),
        ("[late]\nenabled = 1\n", "late.enabled"),
    ],
)
def test_a_wrong_parameter_is_refused_by_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    """P-252."""
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        rules.load(file)
    (problem,) = caught.value.problems
    assert (problem.file, problem.key) == (file, key)


def test_a_rule_that_throws_is_off_alone_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-252: the others go on."""

    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(honesty, "frozen", broken)
    off: list[str] = []
    with_journal(tmp_path)
    store, clock = Store(tmp_path / "data"), StillClock(NOW_S + SETTLE_S + 1)
    watched = Watched(Registry([terminal_of(SENDER, POINTS)]), [], rules.Rules(), 86_400)
    watcher = Watcher(tmp_path / "data", store, clock, watched, lambda rule, _: off.append(rule))
    assert watcher.look() == (1, False)
    assert (off, [one.kind for one in store.rows()]) == (["frozen"], [honesty.REVERSED])
    watcher.close()
    store.close()


def test_a_silence_is_told_within_its_minutes(tmp_path: Path) -> None:
    """P-251: open as long as nothing comes, and it grows."""
    with_journal(tmp_path)
    store, clock = Store(tmp_path / "data"), StillClock(NOW_S + 35 * 60)
    watched = Watched(Registry([terminal_of(SENDER, POINTS)]), [], rules.Rules(), 86_400)
    watcher = Watcher(tmp_path / "data", store, clock, watched, lambda *_: None)
    watcher.look()
    assert "silent" not in {one.kind for one in store.rows()}
    clock.now_s += 30
    watcher.look()
    (silent,) = [one for one in store.rows() if one.kind == "silent"]
    assert (silent.subject, silent.from_s, silent.to_s) == ("T0001", NOW_S, clock.now_s)
    clock.now_s += 3600
    watcher.look()
    (grown,) = [one for one in store.rows() if one.kind == "silent"]
    assert (grown.id, grown.from_s, grown.to_s) == (silent.id, NOW_S, clock.now_s)
    watcher.close()
    store.close()


def with_journal(folder: Path) -> None:
    """A journal of two hours in which the second point's energy flows backwards for half an hour."""
    journal = Journal(folder / "data", VerifyConfig())
    for number in range(8):
        power_w = 5000 + number * 37
        other_w = -power_w + 7 if number in {3, 4} else power_w + 7
        shown = [reading(p_mean_w=one, p_min_w=one, p_max_w=one, e_import_wh=None) for one in (power_w, other_w)]
        start_s = NOW_S - (8 - number) * 900
        commit(journal, [accept(SENDER, SENDER.frame([window(number, start_s, shown)]), POINTS, start_s + 900)])
    journal.close()
