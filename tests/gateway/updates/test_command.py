"""`wattline gateway update` as an operator calls it: what is begun, what is shown, what is refused."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.downward import Said
from gateway.journal.journal import Journal
from gateway.updates import rollouts
from gateway.updates.store import Store
from protocol import record, update
from tests.gateway.support import Sender, write_config
from tests.gateway.updates.world import POINTS, names, release

NOW_S = int(time.time())  # the commands go by the machine's
RIGHT = {"number": NOW_S, "best_before_s": NOW_S + 86_400}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    found = write_config(tmp_path, 1, [Sender(name, name.encode().ljust(32)) for name in names(3)])
    found.write_text('update_keys = "update_keys.json"\nenterprises = "enterprises.toml"\n' + found.read_text())
    (tmp_path / "update_keys.json").write_text(json.dumps({"keys": [POINTS[0].hex()]}))
    (tmp_path / "enterprises.toml").write_text(
        '[[enterprise]]\nid = "E1"\nname = "steel"\n[[enterprise.linkage]]\nname = "furnace"\n'
        'production = ["T0001/1"]\ntreatment = ["T0002/2"]\nproduction_on_w = 5000\ntreatment_on_w = 800\n'
    )
    terminals = tmp_path / "terminals.toml"
    second = '}, {number = 2, name = "filter", kind = "treatment"}]'
    terminals.write_text(terminals.read_text().replace("10000}]", f"10000{second}"))
    return found


def run(config: Path, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["update", *words, "--config", str(config)])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(config: Path, *words: str) -> Any:
    code, said = run(config, *words, "--json")
    assert code == 0, said
    return json.loads(said)


def file_of(config: Path, data: bytes) -> str:
    file = config.parent / "release.wlb"
    file.write_bytes(data)
    return str(file)


def hear(config: Path, terminal: str, seq: int, code: int, *values: int) -> None:
    store = Store(config.parent / "data")
    with store.writing() as connection:
        rollouts.hear(connection, Said(terminal, 7, seq, code, values, NOW_S * 1000))
    store.close()


def test_a_rollout_is_begun_shown_stopped_and_resumed(config: Path) -> None:
    """P-275"""
    bundle = file_of(config, release(**RIGHT))
    begun = run_json(config, "--bundle", bundle, "--canary", "30", "--then", "60", "--then", "100")
    (canary,) = begun["canaries"]
    assert begun == {"rollout": 1, "terminals": 3, "canaries": [canary], "have_it": [], "left_out": []}
    hear(config, canary, 1, record.UPDATE_PROGRESS, NOW_S, 16_000, 45_331)
    (row,) = run_json(config, "status")["rollouts"]
    assert [one["states"] for one in row["stages"]] == [{"downloading": 1}, {"waiting": 1}, {"waiting": 1}]
    (one,) = [one for one in row["terminals"] if one["terminal"] == canary]
    assert (one["state"], one["stored_bytes"]) == ("downloading", 16_000)
    said = run(config, "status")[1]
    assert f"{canary}  downloading / 下载中  16000 of {row['payload_bytes']} bytes (35 %)" in said
    assert "wave / 第 2 批, to 100 %, not begun / 未开始" in said

    assert run_json(config, "stop") == {"rollout": 1, "state": "halted"}
    Journal(config.parent / "data", VerifyConfig()).close()
    status = CliRunner().invoke(app, ["status", "--json", "--config", str(config)])
    assert json.loads(status.stdout)["updates"] == {"running": 0, "halted": 1}
    assert run(config, "stop") == (1, "no such rollout is running / 没有该状态的任务\n")
    assert "halted / 已停止: stopped by the operator" in run(config, "status")[1]
    hear(config, canary, 2, record.UPDATE_REFUSED, NOW_S, update.FILE, 0)
    assert "16, file: a file is not the one that was signed" in run(config, "status")[1]
    assert run_json(config, "resume", "1") == {"rollout": 1, "state": "running", "excused": 1}

    run_json(config, "stop", "1")
    assert run_json(config, "stop", "--end") == {"rollout": 1, "state": "ended"}
    assert run_json(config, "status")["rollouts"] == []
    hear(config, "T0003", 9, record.UPDATE_GOOD, NOW_S)
    listed = run_json(config, "list")
    assert [(one["rollout"], one["state"], one["version"]) for one in listed["rollouts"]] == [(1, "ended", "0.2.0")]
    assert listed["in_force"] == {"T0003": NOW_S}
    assert f"release {NOW_S}: in force at / 生效终端数 1" in run(config, "list")[1]


def test_terminals_are_chosen_by_name_by_enterprise_and_not_twice(config: Path) -> None:
    """P-275"""
    bundle = file_of(config, release(**RIGHT))
    assert run_json(config, "--bundle", bundle, "--enterprise", "E1", "--canary", "50")["terminals"] == 2
    busy = run(config, "--bundle", bundle, "--terminal", "T0002")
    assert busy[0] == 1 and "T0002: in rollout 1, which runs; stop it first" in busy[1]  # noqa: PT018
    assert run_json(config, "--bundle", bundle, "--terminal", "T0003", "--canary", "100")["canaries"] == ["T0003"]
    hear(config, "T0003", 1, record.UPDATE_GOOD, NOW_S)
    assert "all these terminals have it already" in run(config, "--bundle", bundle, "--terminal", "T0003")[1]

    run_json(config, "stop", "1")
    newer = file_of(config, release(**RIGHT | {"number": NOW_S + 1}))
    assert run_json(config, "--bundle", newer, "--terminal", "T0001")["rollout"] == 3
    states = {one["rollout"]: (one["state"], one["why"]) for one in run_json(config, "list")["rollouts"]}
    assert states[1] == ("ended", f"replaced by release {NOW_S + 1} / 被新版本取代")
    older = file_of(config, release(**RIGHT))
    assert "superseded" in run(config, "--bundle", older, "--terminal", "T0002")[1]


def give_boards(config: Path, **boards: str) -> None:
    path = config.parent / "terminals.toml"
    for name, board in boards.items():
        path.write_text(path.read_text().replace(f'id = "{name}"', f'id = "{name}"\nboard = "{board}"'))


def test_a_terminal_with_another_board_is_left_out_counted_and_told(config: Path) -> None:
    """P-341: the rollout goes well without it, and it may get its own board's release meanwhile."""
    give_boards(config, T0001="unix", T0003="rp2")
    bundle = file_of(config, release(**RIGHT))
    begun = run_json(config, "--bundle", bundle, "--canary", "50")
    skipped = {"terminal": "T0003", "reason": "other_board", "board": "rp2"}
    assert (begun["terminals"], begun["left_out"]) == (2, [skipped])
    (row,) = run_json(config, "status")["rollouts"]
    assert (sorted(one["terminal"] for one in row["terminals"]), row["left_out"]) == (["T0001", "T0002"], [skipped])
    said = "1 left out / 跳过: other_board: another board / 板型不符: T0003 rp2"
    assert said in run(config, "status")[1]
    other = file_of(config, release(**RIGHT, board="rp2"))
    begun = run_json(config, "--bundle", other, "--terminal", "T0003", "--canary", "100")
    assert (begun["canaries"], begun["left_out"]) == (["T0003"], [])
    hear(config, "T0003", 1, record.UPDATE_GOOD, NOW_S)
    states = {one["rollout"]: one["stages"][0]["states"] for one in run_json(config, "status")["rollouts"]}
    assert states == {1: {"waiting": 1}, 2: {"good": 1}}
    code, said = run(config, "--bundle", file_of(config, release(**RIGHT)), "--terminal", "T0003")
    assert (code, "it is for unix, and none of these terminals is" in said) == (1, True), said


def test_a_whole_image_is_rolled_out_like_any_release(config: Path) -> None:
    """P-346"""
    data = release(**RIGHT, image=bytes(range(256)) * 8000)
    begun = run_json(config, "--bundle", file_of(config, data), "--canary", "50")
    hear(config, begun["canaries"][0], 1, record.UPDATE_REFUSED, NOW_S, update.NO_IMAGE_SLOT, 0)
    said = run(config, "status")[1]
    assert "23, no_image_slot: this board has no second partition" in said
    altered = file_of(config, data[:-1] + b"x")
    assert "refused / 拒绝: file" in run(config, "--bundle", altered)[1]


FORGED = {
    "nothing": (b"", "malformed"),
    "cut short": (release(**RIGHT)[:-1], "malformed"),
    "something behind it": (release(**RIGHT) + b"x", "extra"),
    "another key": (release(**RIGHT, secret=5), "key"),
    "an altered manifest": (release(**RIGHT).replace(b"0.2.0", b"0.3.0"), "signature"),
    "an altered file": (release(**RIGHT)[:-1] + b"\0", "file"),
    "expired": (release(**RIGHT | {"best_before_s": NOW_S - 1}), "expired"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_bundle_that_is_not_right_is_refused_with_its_reason_and_nothing_is_begun(config: Path, name: str) -> None:
    """P-270"""
    data, reason = FORGED[name]
    status, said = run(config, "--bundle", file_of(config, data))
    assert (status, said.startswith(f"{config.parent / 'release.wlb'}: refused / 拒绝: {reason}: ")) == (1, True), said
    assert run_json(config, "list") == {"rollouts": [], "in_force": {}}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "--config and --bundle, or a command"),
        (["--bundle", "nofile.wlb"], 1, "nofile.wlb: can't be read"),
        (["--bundle", "{right}", "--terminal", "T9"], 1, "T9: not admitted / 未登记"),
        (["--bundle", "{right}", "--enterprise", "E9"], 1, "E9: no such enterprise / 没有此企业"),
        (["--bundle", "{right}", "--canary", "50", "--then", "20"], 2, "须递增"),
        (["status", "7"], 1, "7: no such rollout / 没有此任务"),
        (["resume"], 1, "no such rollout is halted / 没有该状态的任务"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_begins_nothing(
    config: Path, words: list[str], status: int, said: str
) -> None:
    """P-275"""
    right = file_of(config, release(**RIGHT))
    found = run(config, *(word.format(right=right) for word in words))
    assert (found[0], said in " ".join(found[1].split())) == (status, True), found
    assert run_json(config, "list")["rollouts"] == []


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', '{"keys": ["00"]}', '{"keys": ["%s"]}' % ("11" * 64)])
def test_keys_that_can_not_be_used_are_refused(config: Path, text: str) -> None:
    """P-270"""
    (config.parent / "update_keys.json").write_text(text)
    status, said = run(config, "--bundle", file_of(config, release(**RIGHT)))
    assert (status, "update_keys.json: " in said) == (1, True), said


def test_check_warns_of_keys_that_can_not_be_used(config: Path) -> None:
    """P-270"""
    (config.parent / "update_keys.json").write_text("{}")
    answer = CliRunner().invoke(app, ["check", "--strict", "--json", "--config", str(config)])
    assert (answer.exit_code, "update_keys.json" in answer.stdout) == (1, True), answer.stdout


def test_without_keys_nothing_is_imported(config: Path) -> None:
    """P-270"""
    config.write_text(config.read_text().replace("update_keys", "# update_keys"))
    status, said = run(config, "--bundle", file_of(config, release(**RIGHT)))
    assert (status, "update_keys: missing" in said) == (1, True), said
