# Meter profiles: every file loads, the manuals' worked bytes decode exactly, a wrong file is refused with its reason.
# Runs on both interpreters.
import json
import os
import sys

from terminal import profile, profile_check, quantity

from protocol import checked, meter_state

DIRECTORY = __file__[: __file__.rindex("/")] + "/../../firmware/device/profiles"


def names() -> "list[str]":
    return sorted(name[: -len(".json")] for name in os.listdir(DIRECTORY) if name.endswith(".json"))


def decoded(loaded: profile.Profile, name: str, raw: str, ct_ratio: int = 1, pt_ratio: int = 1) -> "int | None":
    one = loaded.measured(name)
    assert one is not None, name
    return quantity.value(one, bytes.fromhex(raw.replace(" ", "")), ct_ratio, pt_ratio)


def content() -> "dict[str, object]":
    # A small right profile, to be made wrong.
    return {
        "model": "M",
        "source": "S",
        "protocol": "modbus-rtu",
        "function": 3,
        "word_order": "high_first",
        "registers_per_read": 10,
        "readable": [["0x0000", "0x000f"], ["0x0020", "0x002f"]],
        "ratios_applied": False,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"register": "0x0000", "type": "i32", "scale": [1, 1]},
            "e_import_wh": {"register": "0x0020", "type": "u32", "scale": [10, 1]},
        },
    }


def item_content() -> "dict[str, object]":
    # A small right profile of a DL/T 645 meter.
    return {
        "model": "M",
        "source": "S",
        "protocol": "dlt645",
        "ratios_applied": False,
        "power_max_w": 1000,
        "quantities": {
            "p_w": {"item": "0x0203ff00", "type": "sbcd3", "scale": [1, 10]},
            "e_import_wh": {"item": "0x00010000", "type": "bcd4", "scale": [10, 1], "rolls_at": 100000000},
        },
        "state": [{"item": "0x040005ff", "at": 6, "type": "bits16", "bits": {"voltage_lost_a": 0}}],
    }


def parsed(described: object) -> profile.Profile:
    return profile_check.parse("m", described, "m.json")


def refused(wrong: object) -> str:
    try:
        parsed(wrong)
    except checked.ConfigError as error:
        assert error.file == "m.json"
        assert error.key
        assert error.allowed
        return error.key
    raise AssertionError("taken")


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


def test_wrong_profiles_are_refused_with_their_key() -> None:
    for key, value, expected in (
        ("model", "", "model"),
        ("source", 5, "source"),
        ("protocol", "modbus", "protocol"),
        ("function", 6, "function"),
        ("function", [3], "function"),
        ("word_order", "middle", "word_order"),
        ("registers_per_read", 126, "registers_per_read"),
        ("registers_per_read", True, "registers_per_read"),
        ("registers_per_read", 1, "quantities.p_w"),
        ("readable", [], "quantities.p_w"),
        ("readable", [["0x0000"]], "readable[0]"),
        ("readable", [["0x0005", "0x0004"]], "readable[0]"),
        ("readable", [["0x0000", "0x0005"], ["0x0005", "0x002f"]], "readable[1]"),
        ("readable", [[0, 47]], "readable[0]"),
        ("readable", [["0x0000", "0x0000"], ["0x0020", "0x002f"]], "quantities.p_w"),
        ("ratios_applied", 1, "ratios_applied"),
        ("power_max_w", 0, "power_max_w"),
        ("circuits", 1, "circuits"),
        ("circuits", 33, "circuits"),
        ("quantities", [], "quantities."),
        ("quantities", {}, "quantities.p_w"),
        ("identity", [], "identity."),
        ("identity", {"colour": 1}, "identity.colour"),
        ("state", {}, "state"),
        ("colour", "red", "colour"),
    ):
        wrong = content()
        wrong[key] = value
        assert refused(wrong) == expected, (key, value)
    assert refused([]) == "(top)"
    assert refused({}) == "model"


def test_wrong_quantities_are_refused_with_their_key() -> None:
    for name, key, value, expected in (
        ("p_w", "type", "f16", "quantities.p_w.type"),
        ("p_w", "type", [], "quantities.p_w.type"),
        ("p_w", "type", "bcd4", "quantities.p_w.type"),
        ("p_w", "scale", [1, 0], "quantities.p_w.scale"),
        ("p_w", "scale", [0, 1], "quantities.p_w.scale"),
        ("p_w", "scale", [1.5, 1], "quantities.p_w.scale"),
        ("p_w", "scale", 10, "quantities.p_w.scale"),
        ("p_w", "register", "0x10000", "quantities.p_w.register"),
        ("p_w", "register", "0xzz", "quantities.p_w.register"),
        ("p_w", "register", 0, "quantities.p_w.register"),
        ("p_w", "register", "0x0010", "quantities.p_w"),  # not readable
        ("p_w", "register", "0x0021", "quantities.p_w"),  # overlaps
        ("p_w", "function", 6, "quantities.p_w.function"),
        ("p_w", "word_order", "none", "quantities.p_w.word_order"),
        ("p_w", "stride", "0x0010", "quantities.p_w.stride"),  # of what circuits?
        ("p_w", "invalid", ["0xffff"], "quantities.p_w.invalid"),
        ("p_w", "invalid", "0xffffffff", "quantities.p_w.invalid"),
        ("p_w", "invalid", ["0xgggggggg"], "quantities.p_w.invalid"),
        ("p_w", "ratios_applied", "yes", "quantities.p_w.ratios_applied"),
        ("p_w", "rolls_at", 1000, "quantities.p_w.rolls_at"),  # a power does not
        ("e_import_wh", "rolls_at", 1, "quantities.e_import_wh.rolls_at"),
        ("e_import_wh", "rolls_at", 4294967297, "quantities.e_import_wh.rolls_at"),
        ("p_w", "unit", "W", "quantities.p_w.unit"),
        ("p_w", "item", "0x00010000", "quantities.p_w.item"),
    ):
        wrong = content()
        wrong["quantities"][name][key] = value  # type: ignore[index]
        assert refused(wrong) == expected, (name, key, value)
    wrong = content()
    wrong["quantities"]["p_kw"] = wrong["quantities"]["p_w"]  # type: ignore[index]
    assert refused(wrong) == "quantities.p_kw"


def test_scales_that_no_meter_has_are_refused() -> None:
    for key, value, expected in (
        (
            "p_w",
            {"register": "0x0000", "type": "i16", "scale": [1, 65536]},
            "quantities.p_w.scale",
        ),  # shows nothing but 0
        ("p_w", {"register": "0x0000", "type": "i16", "scale": [1, 100]}, "power_max_w"),  # 327 W at most
        ("ua_dv", {"register": "0x0002", "type": "u16", "scale": [1000001, 1]}, "quantities.ua_dv.scale"),
        ("pf_milli", {"register": "0x0002", "type": "u16", "scale": [1001, 1]}, "quantities.pf_milli.scale"),
    ):
        wrong = content()
        wrong["quantities"][key] = value  # type: ignore[index]
        assert refused(wrong) == expected, (key, value)


def test_overlaps_between_circuits_and_tables_are_refused() -> None:
    wrong = content()
    wrong["circuits"] = 3
    wrong["quantities"]["p_w"]["stride"] = "0x0001"  # type: ignore[index]
    assert refused(wrong) == "quantities.p_w"
    wrong["quantities"]["p_w"]["stride"] = "0x0007"  # type: ignore[index]
    assert parsed(wrong).circuits == 3
    wrong["circuits"] = 4
    assert refused(wrong) == "quantities.p_w"
    wrong = content()
    wrong["identity"] = {"serial": {"register": "0x0001", "type": "u32", "scale": [1, 1]}}
    assert refused(wrong) == "identity.serial"
    wrong["identity"]["serial"]["function"] = 4  # type: ignore[index]
    assert parsed(wrong).plan(profile.IDENTITY).reads == [(4, 1, 2)]


def test_wrong_profiles_of_dlt645_are_refused_with_their_key() -> None:
    assert parsed(item_content()).plan().reads == [(0x11, 0x00010000, 0), (0x11, 0x0203FF00, 0)]
    for name, key, value, expected in (
        ("p_w", "item", "0x203ff00", "quantities.p_w.item"),
        ("p_w", "item", 5, "quantities.p_w.item"),
        ("p_w", "at", -1, "quantities.p_w.at"),
        ("p_w", "at", 194, "quantities.p_w"),  # an answer has 196 bytes
        ("p_w", "type", "i32", "quantities.p_w.type"),
        ("p_w", "register", "0x0000", "quantities.p_w.register"),
        ("p_w", "stride", "0x0001", "quantities.p_w.stride"),
        ("e_import_wh", "rolls_at", 100000001, "quantities.e_import_wh.rolls_at"),
    ):
        wrong = item_content()
        wrong["quantities"][name][key] = value  # type: ignore[index]
        assert refused(wrong) == expected, (name, key, value)
    wrong = item_content()
    wrong["quantities"]["q_var"] = {"item": "0x0203ff00", "at": 2, "type": "sbcd3", "scale": [1, 10]}  # type: ignore[index]
    assert refused(wrong) == "quantities.q_var"
    for word_key, wrong_value, expected in (
        ("bits", {"voltage_lost_a": 16}, "state[0].bits.voltage_lost_a"),
        ("bits", {"voltage_lost": 0}, "state[0].bits.voltage_lost"),
        ("bits", [], "state[0].bits."),
        ("type", "bcd2", "state[0].type"),
        ("at", "6", "state[0].at"),
    ):
        wrong = item_content()
        wrong["state"][0][word_key] = wrong_value  # type: ignore[index]
        assert refused(wrong) == expected, (word_key, wrong_value)


def test_names_and_files_that_are_not_there() -> None:
    for name in ("", "../secret", "DTSU666", "nosuch"):
        try:
            profile.load(name, DIRECTORY)
        except checked.ConfigError as error:
            assert error.key in ("profile", "(file)")
            continue
        raise AssertionError(name)


def test_the_checks_are_let_go_and_come_back_when_they_are_needed() -> None:
    profile.load("sdm630", DIRECTORY)
    assert "terminal.profile_check" in sys.modules
    profile.forget_checks()
    profile.forget_checks()
    assert "terminal.profile_check" not in sys.modules
    assert profile.load("sdm630", DIRECTORY).model == "Eastron SDM630 v2"


def test_ratios_are_never_applied_twice() -> None:
    dtsu666 = profile.load("dtsu666", DIRECTORY)
    sdm630 = profile.load("sdm630", DIRECTORY)
    profile.check_ratios(dtsu666, 40, 1, "terminal.json", "")
    profile.check_ratios(sdm630, 1, 1, "terminal.json", "")
    for ct_ratio, pt_ratio, key in ((40, 1, "ct_ratio"), (1, 10, "pt_ratio")):
        try:
            profile.check_ratios(sdm630, ct_ratio, pt_ratio, "terminal.json", "buses[0].meters[0].")
        except checked.ConfigError as error:
            assert error.key == "buses[0].meters[0]." + key
            continue
        raise AssertionError((ct_ratio, pt_ratio))


def test_the_shipped_files_name_no_key_twice() -> None:
    for name in names():
        with open(DIRECTORY + "/" + name + ".json") as stream:
            text = stream.read()
        described = json.loads(text)
        for key in list(described["quantities"]) + list(described.get("identity", ())):
            assert text.count('"' + key + '"') == 1
