# Meter profiles: every file loads, the manuals' worked bytes decode exactly, a wrong file is refused with its reason.
# Runs on both interpreters.
import json
import os

from terminal import profile

DIRECTORY = __file__[: __file__.rindex("/")] + "/../../firmware/device/profiles"


def names() -> "list[str]":
    return sorted(name[: -len(".json")] for name in os.listdir(DIRECTORY) if name.endswith(".json"))


def quantity(loaded: profile.Profile, name: str):  # type: ignore[no-untyped-def]
    return {q.name: q for q in loaded.quantities}[name]


def decoded(loaded: profile.Profile, name: str, raw: str, ct_ratio: int = 1, pt_ratio: int = 1) -> "int | None":
    return loaded.value(quantity(loaded, name), bytes.fromhex(raw), ct_ratio, pt_ratio)


def content() -> "dict[str, object]":
    # A small right profile, to be made wrong.
    return {
        "model": "M",
        "source": "S",
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


def refused(wrong: object) -> str:
    try:
        profile.parse("m", wrong, "profiles/m.json")
    except profile.ProfileError as error:
        assert error.file == "profiles/m.json"
        assert error.key
        assert error.reason
        return error.key
    raise AssertionError("taken")


def test_every_profile_loads_and_reads_no_register_outside_its_ranges() -> None:
    assert names() == ["dtsu666", "sdm630"]
    for name in names():
        loaded = profile.load(name, DIRECTORY)
        for block in loaded.blocks:
            assert any(
                span.first <= block.first and block.first + block.count <= span.first + span.count
                for span in loaded.readable
            )
        counts = [block.count for block in loaded.blocks]
        assert len(set(counts)) == len(counts)
        for wanted in loaded.quantities:
            assert any(
                block.first <= wanted.register
                and wanted.register + profile.TYPES[wanted.type] <= block.first + block.count
                for block in loaded.blocks
            )


def test_the_reads_are_few() -> None:
    assert profile.load("dtsu666", DIRECTORY).blocks == [(0x101E, 12), (0x2006, 38)]
    assert profile.load("sdm630", DIRECTORY).blocks == [(0, 80)]


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


def test_a_block_decodes_to_all_its_quantities() -> None:
    loaded = profile.load("sdm630", DIRECTORY)
    data = bytearray(160)
    data[0:12] = bytes.fromhex("435C199A435BCCCD435C6666")
    data[0x68:0x6C] = bytes.fromhex("4551199A")
    data[0x90:0x94] = bytes.fromhex("449A51EC")
    values = loaded.decode([bytes(data)], 1, 1)
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
        assert profile.divide_half_away(numerator, denominator) == expected


def test_integer_types_and_word_orders() -> None:
    described = content()
    described["quantities"]["p_w"]["invalid"] = ["0x80000000"]  # type: ignore[index]
    loaded = profile.parse("m", described, "f")
    assert decoded(loaded, "p_w", "FFFFFCBC") == -836
    assert decoded(loaded, "p_w", "80000000") is None
    assert decoded(loaded, "e_import_wh", "0001E240") == 1234560
    assert decoded(loaded, "e_import_wh", "0001E240", 4, 10) == 49382400
    described["word_order"] = "low_first"
    loaded = profile.parse("m", described, "f")
    assert decoded(loaded, "p_w", "FCBCFFFF") == -836
    described["quantities"]["e_import_wh"] = {"register": "0x0020", "type": "i64", "scale": [1, 1]}  # type: ignore[index]
    described["word_order"] = "high_first"
    loaded = profile.parse("m", described, "f")
    assert decoded(loaded, "e_import_wh", "000000000012D680") == 1234560
    assert decoded(loaded, "e_import_wh", "8000000000000000") is None  # negative


def test_reads_are_cut_at_holes_and_at_the_most_registers() -> None:
    described = content()
    described["quantities"]["ia_ma"] = {"register": "0x000e", "type": "i32", "scale": [1, 1]}  # type: ignore[index]
    loaded = profile.parse("m", described, "f")
    assert [block.first for block in loaded.blocks] == [0x0000, 0x000E, 0x0020]
    counts = [block.count for block in loaded.blocks]
    assert counts == [2, 2, 3]  # 0x000e is the end of its range; the last one has room to differ


def test_wrong_profiles_are_refused_with_their_key() -> None:
    for key, value, expected in (
        ("model", "", "model"),
        ("source", 5, "source"),
        ("function", 6, "function"),
        ("function", [3], "function"),
        ("word_order", "middle", "word_order"),
        ("registers_per_read", 126, "registers_per_read"),
        ("registers_per_read", True, "registers_per_read"),
        ("registers_per_read", 1, "quantities.p_w.register"),
        ("readable", [], "quantities.p_w.register"),
        ("readable", [["0x0000"]], "readable[0]"),
        ("readable", [["0x0005", "0x0004"]], "readable[0]"),
        ("readable", [["0x0000", "0x0005"], ["0x0005", "0x002f"]], "readable[1]"),
        ("readable", [[0, 47]], "readable[0]"),
        ("readable", [["0x0000", "0x0000"], ["0x0020", "0x002f"]], "quantities.p_w.register"),
        ("ratios_applied", 1, "ratios_applied"),
        ("power_max_w", 0, "power_max_w"),
        ("quantities", [], "quantities"),
        ("quantities", {}, "quantities.p_w"),
        ("colour", "red", "profile.colour"),
    ):
        wrong = content()
        wrong[key] = value
        assert refused(wrong) in (expected, "quantities.e_import_wh.register", "quantities.e_import_wh"), key
    assert refused([]) == "profile"
    assert refused({}) == "profile.model"


def test_wrong_quantities_are_refused_with_their_key() -> None:
    for name, key, value, expected in (
        ("p_w", "type", "f16", "quantities.p_w.type"),
        ("p_w", "type", [], "quantities.p_w.type"),
        ("p_w", "scale", [1, 0], "quantities.p_w.scale"),
        ("p_w", "scale", [0, 1], "quantities.p_w.scale"),
        ("p_w", "scale", [1.5, 1], "quantities.p_w.scale"),
        ("p_w", "scale", 10, "quantities.p_w.scale"),
        ("p_w", "register", "0x10000", "quantities.p_w.register"),
        ("p_w", "register", "0xzz", "quantities.p_w.register"),
        ("p_w", "register", 0, "quantities.p_w.register"),
        ("p_w", "register", "0x0010", "quantities.p_w.register"),
        ("p_w", "register", "0x0021", "quantities.p_w.register"),  # overlaps
        ("p_w", "invalid", ["0xffff"], "quantities.p_w.invalid"),
        ("p_w", "invalid", "0xffffffff", "quantities.p_w.invalid"),
        ("p_w", "invalid", ["0xgggggggg"], "quantities.p_w.invalid"),
        ("p_w", "ratios_applied", "yes", "quantities.p_w.ratios_applied"),
        ("p_w", "unit", "W", "quantities.p_w.unit"),
    ):
        wrong = content()
        wrong["quantities"][name][key] = value  # type: ignore[index]
        assert refused(wrong) == expected, (name, key, value)
    wrong = content()
    wrong["quantities"]["p_kw"] = wrong["quantities"]["p_w"]  # type: ignore[index]
    assert refused(wrong) == "quantities.p_kw"


def test_names_and_files_that_are_not_there() -> None:
    for name in ("", "../secret", "DTSU666", "nosuch"):
        try:
            profile.load(name, DIRECTORY)
        except profile.ProfileError as error:
            assert error.key == "profile"
            continue
        raise AssertionError(name)


def test_ratios_are_never_applied_twice() -> None:
    dtsu666 = profile.load("dtsu666", DIRECTORY)
    sdm630 = profile.load("sdm630", DIRECTORY)
    profile.check_ratios(dtsu666, 40, 1)
    profile.check_ratios(sdm630, 1, 1)
    for loaded, ct_ratio, pt_ratio in ((sdm630, 40, 1), (dtsu666, 0, 1), (dtsu666, 1, 1.5), (dtsu666, 1, True)):
        try:
            profile.check_ratios(loaded, ct_ratio, pt_ratio)  # type: ignore[arg-type]
        except ValueError:
            continue
        raise AssertionError((ct_ratio, pt_ratio))


def test_the_shipped_files_name_no_key_twice() -> None:
    for name in names():
        with open(DIRECTORY + "/" + name + ".json") as stream:
            text = stream.read()
        for key in json.loads(text)["quantities"]:
            assert text.count('"' + key + '"') == 1
