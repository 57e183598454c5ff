"""A run as JUnit XML: a case for each invariant, with what was found against it, and one for each measurement."""

from xml.etree import ElementTree as ET

from hil.report import words
from hil.report.result import Report
from protocol.host.markup import visible


def junit(report: Report) -> bytes:
    """The file's bytes."""
    failures = sum(any(one.invariant == number for one in report.findings) for number in words.INVARIANT)
    missed = sum(one.value is None or not one.held for one in report.measurements)
    cases = len(words.INVARIANT) + len(report.measurements)
    about = {"tests": str(cases), "failures": str(failures), "skipped": str(missed), "time": f"{report.real_s:g}"}
    suite = ET.Element("testsuite", {"name": visible(report.scenario), **about})
    facts = {"seed": report.seed, "target": report.target, "commit": report.commit, "factor": report.factor}
    properties = ET.SubElement(suite, "properties")
    for name, value in {**facts, **report.versions}.items():
        ET.SubElement(properties, "property", {"name": visible(name), "value": visible(value)})
    for number, (english, chinese) in words.INVARIANT.items():
        found = [one for one in report.findings if one.invariant == number]
        case = ET.SubElement(suite, "testcase", {"classname": f"hil.{report.target}", "name": f"{english} / {chinese}"})
        if found:
            text = "\n".join(f"{one.code}: {one.text} [{one.cause}]" for one in found)
            failure = ET.SubElement(case, "failure", {"message": visible(f"{len(found)}: {found[0].code}")})
            failure.text = visible(text)
    for one in report.measurements:
        case = ET.SubElement(suite, "testcase", {"classname": f"hil.{report.target}.measured", "name": one.name})
        said = f"{one.value} {one.unit}, at most {one.at_most:g} {one.unit}"
        if one.value is None:
            ET.SubElement(case, "skipped", {"message": "there was nothing to measure"})
        elif not one.held:
            ET.SubElement(case, "skipped", {"message": f"limit missed, no verdict: {said}"})
        ET.SubElement(case, "system-out").text = said
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))
