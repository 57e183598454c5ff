# Meter profiles: a wrong file is refused with its key. Runs on both interpreters.
import sys

from terminal import profile

from protocol import checked
from tests.vm.profiles import DIRECTORY, content, item_content, parsed, refused


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
