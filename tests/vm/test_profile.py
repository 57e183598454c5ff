# Meter profiles: every file loads, and the manuals' worked bytes decode exactly.
# Runs on both interpreters.
import json

from terminal import profile, quantity

from protocol import meter_state
from tests.vm.profiles import DIRECTORY, content, names, parsed


def decoded(loaded: profile.Profile, name: str, raw: str, ct_ratio: int = 1, pt_ratio: int = 1) -> "int | None":
    one = loaded.measured(name)
    assert one is not None, name
    return quantity.value(one, bytes.fromhex(raw.replace(" ", "")), ct_ratio, pt_ratio)


def test_every_profile_loads_and_reads_no_register_outside_its_ranges() -> None:
    assert names() == [
        "adl400",
        "adl400_primary",
        "adw300",
        "dlt645_1p",
        "dlt645_3p",
        "dtsd422",
        "dtsu666",
        "dtsu666_old",
        "iem3155",
        "iem3255",
        "sdm630",
    ]
    for name in names():
        loaded = profile.load(name, DIRECTORY)
        for circuit in range(1, loaded.circuits + 1):
            for what in (profile.MEASURED, profile.IDENTITY, profile.STATE):
                check_reads(loaded, loaded.plan(what, circuit), loaded.quantities[what], circuit)


def check_reads(loaded: profile.Profile, plan: profile.Plan, quantities, circuit: int) -> None:  # type: ignore[no-untyped-def]
    if loaded.protocol_name == "dlt645":
        assert sorted({read.first for read in plan.reads}) == sorted({one.place for one in quantities})
        return
    for read in plan.reads:
        assert any(first <= read.first and read.first + read.count <= end for first, end in loaded.readable)
    for one in quantities:
        place = profile.place_of(one, circuit)
        assert any(
            read.function == one.function and read.first <= place and place + one.size // 2 <= read.first + read.count
            for read in plan.reads
        )


def blocks(name: str, circuit: int = 1) -> "list[tuple[int, int]]":
    return [(read.first, read.count) for read in profile.load(name, DIRECTORY).plan(profile.MEASURED, circuit).reads]


def test_the_reads_are_few() -> None:
    assert blocks("dtsu666") == [(0x101E, 12), (0x2006, 38)]
    assert blocks("sdm630") == [(0, 80)]
    assert blocks("dtsd422", 1) == [(0x0001, 53)]
    assert blocks("dtsd422", 2) == [(0x1001, 53)]
    assert len(blocks("dlt645_3p")) == 8


def test_worked_bytes_of_the_dtsu666() -> None:
    loaded = profile.load("dtsu666", DIRECTORY)
    assert decoded(loaded, "ua_dv", "45099000") == 2201
    assert decoded(loaded, "ub_dv", "45096000") == 2198
    assert decoded(loaded, "uc_dv", "4509C000") == 2204
    assert decoded(loaded, "p_w", "4702B000") == 3346  # 3345.6 W
    assert decoded(loaded, "e_import_wh", "449A51EC") == 1234560
    assert decoded(loaded, "p_w", "4702B000", 40) == 133824  # rounded once, after the ratio
    assert decoded(loaded, "e_import_wh", "449A51EC", 40, 10) == 493824023  # what the float32 holds: 1234.56005859375


def test_worked_bytes_of_the_sdm630() -> None:
    loaded = profile.load("sdm630", DIRECTORY)
    assert decoded(loaded, "ua_dv", "435C199A") == 2201
    assert decoded(loaded, "ub_dv", "435BCCCD") == 2198
    assert decoded(loaded, "uc_dv", "435C6666") == 2204
    assert decoded(loaded, "p_w", "4551199A") == 3346
    assert decoded(loaded, "e_import_wh", "449A51EC") == 1234560


def test_worked_bytes_of_the_adl400() -> None:
    loaded = profile.load("adl400", DIRECTORY)
    assert [decoded(loaded, name, raw) for name, raw in (("ua_dv", "0899"), ("ub_dv", "0896"))] == [2201, 2198]
    assert [decoded(loaded, name, raw, 40) for name, raw in (("ia_ma", "0200"), ("ic_ma", "0208"))] == [204800, 208000]
    assert decoded(loaded, "p_w", "FFFFFCBC") == -836
    assert decoded(loaded, "p_w", "FFFFFCBC", 40) == -33440
    assert decoded(loaded, "e_import_wh", "0001E240") == 1234560
    assert decoded(loaded, "e_import_wh", "0001E240", 40) == 49382400
    ratios = loaded.plan(profile.IDENTITY).decode([bytes.fromhex("00010028")], 1, 1)
    assert ratios == {"pt_milli": 1000, "ct_milli": 40000}
    primary = profile.load("adl400_primary", DIRECTORY)
    assert decoded(primary, "p_w", "4205C28F") == 33440
    assert decoded(primary, "e_import_wh", "00078900") == 49382400


def test_worked_bytes_of_the_iem3155_and_iem3255() -> None:
    for name in ("iem3155", "iem3255"):
        loaded = profile.load(name, DIRECTORY)
        assert decoded(loaded, "ua_dv", "435C199A") == 2201
        assert decoded(loaded, "p_w", "40561E4F") == 3346  # 3.3456 kW
        assert decoded(loaded, "e_import_wh", "000000000012D680") == 1234560
        assert decoded(loaded, "e_export_wh", "8000000000000000") is None


def test_worked_bytes_of_dlt645() -> None:
    loaded = profile.load("dlt645_3p", DIRECTORY)
    plan = loaded.plan()
    data = {
        0x00010000: "78563412",
        0x0201FF00: "012298210422",
        0x0202FF00: "235100 875000 015280",
        0x0203FF00: "563403 001201 561001 001201",
        0x0206FF00: "8509 9009 8009 8589",
    }
    answers = [bytes.fromhex(data[read.first].replace(" ", "")) if read.first in data else None for read in plan.reads]
    values = plan.decode(answers, 1, 1)
    assert [values[name] for name in ("ua_dv", "ub_dv", "uc_dv")] == [2201, 2198, 2204]
    assert [values[name] for name in ("ia_ma", "ib_ma", "ic_ma")] == [5123, 5087, -5201]
    assert [values[name] for name in ("p_w", "pf_milli", "e_import_wh")] == [3346, 985, 123456780]
    assert [values[name] for name in ("e_export_wh", "r_import_varh")] == [None, None]
    assert decoded(loaded, "p_w", "563483") == -3346
    assert decoded(loaded, "e_import_wh", "78563412", 40) == 4938271200
    assert decoded(loaded, "e_import_wh", "FFFFFFFF") is None  # not available
    assert decoded(loaded, "e_import_wh", "7856341A") is None  # a digit above 9
    assert decoded(loaded, "ua_dv", "2235") == 3522
    identity = loaded.plan(profile.IDENTITY).decode([bytes.fromhex("120001032620")], 1, 1)
    assert identity == {"serial": 202603010012}


def test_a_single_phase_meter_answers_a_shorter_block() -> None:
    plan = profile.load("dlt645_3p", DIRECTORY).plan()
    answers = [bytes.fromhex("0122") if read.first == 0x0201FF00 else None for read in plan.reads]
    values = plan.decode(answers, 1, 1)
    assert [values[name] for name in ("ua_dv", "ub_dv", "uc_dv")] == [2201, None, None]


def test_state_words_become_our_bits() -> None:
    loaded = profile.load("dlt645_3p", DIRECTORY)
    plan = loaded.plan(profile.STATE)
    assert [read.first for read in plan.reads] == [0x040005FF]
    words = bytearray(14)
    assert loaded.state(plan.words([bytes(words)])) == 0
    words[6] = 0x01  # word 4, bit 0: voltage of A lost
    words[8] = 0x40  # word 5, bit 6: reverse flow of B
    words[11] = 0x01  # word 6, bit 8: current of C open
    names_set = [
        name for at, name in enumerate(meter_state.NAMES) if loaded.state(plan.words([bytes(words)])) >> at & 1
    ]
    assert names_set == ["voltage_lost_a", "reverse_b", "current_open_c"]
    assert loaded.state(plan.words([bytes(8)])) == 0  # a meter with fewer words
    assert loaded.state(plan.words([None])) == 0


def test_worked_values_of_a_multi_circuit_meter() -> None:
    # sign and magnitude, the low word first; energies the high word first
    loaded = profile.load("dtsd422", DIRECTORY)
    assert decoded(loaded, "p_w", "0310 0000") == 784
    assert decoded(loaded, "p_w", "0310 8000") == -784
    assert decoded(loaded, "pf_milli", "8310") == -784
    assert decoded(loaded, "e_import_wh", "0001E240") == 1234560
    for circuit in (1, 2):
        data = bytearray(106)
        data[2 * 12 : 2 * 12 + 4] = bytes.fromhex("0D110000")
        assert loaded.plan(profile.MEASURED, circuit).decode([bytes(data)], 1, 1)["p_w"] == 3345


def test_a_block_decodes_to_all_its_quantities() -> None:
    loaded = profile.load("sdm630", DIRECTORY)
    data = bytearray(160)
    data[0:12] = bytes.fromhex("435C199A435BCCCD435C6666")
    data[0x68:0x6C] = bytes.fromhex("4551199A")
    data[0x90:0x94] = bytes.fromhex("449A51EC")
    values = loaded.plan().decode([bytes(data)], 1, 1)
    assert len(values) == 12
    assert values["ua_dv"] == 2201
    assert values["p_w"] == 3346
    assert values["e_import_wh"] == 1234560
    assert values["e_export_wh"] == 0


def test_floats_that_are_no_numbers_are_absent() -> None:
    loaded = profile.load("dtsu666", DIRECTORY)
    for raw in ("7FC00000", "FFC00000", "7F800000", "FF800000", "7F800001", "FFFFFFFF"):
        assert decoded(loaded, "p_w", raw) is None


def test_values_that_no_meter_can_show_are_absent() -> None:
    loaded = profile.load("sdm630", DIRECTORY)
    assert decoded(loaded, "pf_milli", "3F800000") == 1000
    assert decoded(loaded, "pf_milli", "3F810000") is None  # 1.008
    assert decoded(loaded, "ua_dv", "C35C199A") is None  # -220.1 V
    assert decoded(loaded, "e_import_wh", "BF800000") is None
    assert decoded(loaded, "p_w", "7F7FFFFF") is None
    assert decoded(loaded, "p_w", "00000001") == 0


def test_halves_round_away_from_zero() -> None:
    for numerator, denominator, expected in (
        (5, 2, 3),
        (-5, 2, -3),
        (4, 2, 2),
        (1, 2, 1),
        (-1, 2, -1),
        (1, 3, 0),
        (-2, 3, -1),
        (0, 7, 0),
    ):
        assert quantity.divide_half_away(numerator, denominator) == expected


def test_integer_types_and_word_orders() -> None:
    described = content()
    described["quantities"]["p_w"]["invalid"] = ["0x80000000"]  # type: ignore[index]
    loaded = parsed(described)
    assert decoded(loaded, "p_w", "FFFFFCBC") == -836
    assert decoded(loaded, "p_w", "80000000") is None
    assert decoded(loaded, "e_import_wh", "0001E240") == 1234560
    assert decoded(loaded, "e_import_wh", "0001E240", 4, 10) == 49382400
    described["word_order"] = "low_first"
    loaded = parsed(described)
    assert decoded(loaded, "p_w", "FCBCFFFF") == -836
    described["quantities"]["e_import_wh"] = {"register": "0x0020", "type": "i64", "scale": [1, 1]}  # type: ignore[index]
    described["word_order"] = "high_first"
    loaded = parsed(described)
    assert decoded(loaded, "e_import_wh", "000000000012D680") == 1234560
    assert decoded(loaded, "e_import_wh", "8000000000000000") is None  # negative


def test_reads_are_cut_at_holes_and_at_the_most_registers() -> None:
    described = content()
    described["quantities"]["ia_ma"] = {"register": "0x000e", "type": "i32", "scale": [1, 1]}  # type: ignore[index]
    loaded = parsed(described)
    assert [read.first for read in loaded.plan().reads] == [0x0000, 0x000E, 0x0020]
    counts = [read.count for read in loaded.plan().reads]
    assert counts == [2, 2, 3]  # 0x000e is the end of its range; the last one has room to differ


def test_the_shipped_files_name_no_key_twice() -> None:
    for name in names():
        with open(DIRECTORY + "/" + name + ".json") as stream:
            text = stream.read()
        described = json.loads(text)
        for key in list(described["quantities"]) + list(described.get("identity", ())):
            assert text.count('"' + key + '"') == 1
