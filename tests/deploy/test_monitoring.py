"""Alert rules and dashboard ask for what the gateway really says, in words that Prometheus takes."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from gateway.modbus_intake.metrics import ModbusMetrics
from protocol.errors import REASONS
from tests.deploy.promql import parse

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """Prometheus' documentation, "Alerting rules"."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    for_: str = msgspec.field(name="for")


class Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Rule]


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    groups: list[Group]


def rules() -> list[Rule]:
    found = msgspec.yaml.decode((MONITORING / "alerts.yaml").read_bytes(), type=Rules)
    return [rule for group in found.groups for rule in group.rules]


def expressions() -> list[tuple[str, str]]:
    """(where, expression) of every rule and panel."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    of_panels = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    return [(rule.alert, rule.expr) for rule in rules()] + of_panels


@cache
def told() -> dict[str, set[str]]:
    """Every sample's name that a gateway may say, with its labels."""
    metrics = Metrics()
    modbus = ModbusMetrics(metrics.registry)
    found: dict[str, set[str]] = {"up": {"job"}}
    wrappers = [one for holder in (metrics, modbus) for one in vars(holder).values()]
    for one in wrappers:
        if isinstance(one, MetricWrapperBase):
            labels = dict.fromkeys(one._labelnames, "x")
            if labels:
                one.labels(**labels)
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize(("where", "text"), expressions())
def test_every_expression_parses_and_asks_for_what_there_is(where: str, text: str) -> None:
    """P-236."""
    known = told()
    query = parse(text)
    assert query.selectors, where
    labels: set[str] = set()
    for one in query.selectors:
        assert one.metric in known, f"{where}: no metric {one.metric}"
        assert one.labels.keys() <= known[one.metric], f"{where}: {one.metric} has no {one.labels.keys()}"
        assert not one.metric.endswith("_total") or one.is_range or "unless" in text, f"{where}: a counter as it is"
        labels |= known[one.metric]
    assert query.grouped <= labels, where


def test_every_alert_says_what_it_means_and_stands_in_the_runbook() -> None:
    """P-236: in both languages; what to do is in the runbook."""
    page = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    names = [rule.alert for rule in rules()]
    assert len(set(names)) == len(names)
    assert re.findall(r"^\| `(Wattline\w+)` \|", page, re.MULTILINE) == names
    for rule in rules():
        assert rule.labels["severity"] in {"critical", "warning"}
        assert re.fullmatch(r"\d+[mh]", rule.for_)
        assert re.fullmatch(r"[^/]+ / .*[\u4e00-\u9fff].*", rule.annotations["summary"])
        known = {name for one in parse(rule.expr).selectors for name in told()[one.metric]}
        assert set(re.findall(r"\$labels\.(\w+)", rule.annotations["summary"])) <= known
        for one in parse(rule.expr).selectors:
            if one.metric == "wattline_frames_refused_total" and "reason" in one.labels:
                assert set(one.labels["reason"].split("|")) <= set(REASONS)


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """P-236: ids and places once each, a data source that is chosen, a unit for each panel."""
    dashboard: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert len({(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}) == len(panels)
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    for one in panels:
        assert one["datasource"]["uid"] == "${datasource}"
        assert one["fieldConfig"]["defaults"]["unit"]
        for target in one["targets"]:
            known = {name for found in parse(target["expr"]).selectors for name in told()[found.metric]}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known
    assert dashboard["schemaVersion"] >= 36


def test_prometheus_is_told_where_the_metrics_and_the_rules_are() -> None:
    """P-236."""
    found = msgspec.yaml.decode((MONITORING / "prometheus.yaml").read_bytes())
    (job,) = found["scrape_configs"]
    assert job["job_name"] == "wattline"  # as `up{job="wattline"}` has it
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:9212"]
    assert [(MONITORING / name).is_file() for name in found["rule_files"]] == [True]


@pytest.mark.parametrize(
    "wrong",
    [
        "", "a b", "sum(a", "rate(a)", "rate(a[5m)", "a{b}", "a{b=c}", 'a{b="c"', "nothing(a[5m])", "a and", "a offset",
        "sum by (a b) (c)", "a[5]", "histogram_quantile(0.9)", "a)", "increase(a[5x])", "-", "a == == b", "a; b",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"wanted|what is|of a range|no function"):
        parse(wrong)
