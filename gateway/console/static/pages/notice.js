// A supervision notice (督办单) for an alarm: one page of A4 to print and to sign.

import { get, part } from "../api.js";
import { add, el } from "../dom.js";
import { day, now_s, span, stamp, zone } from "../time.js";
import { either, lasts, t } from "../words.js";
import { evidence, factsOf } from "./alarm.js";

/** The notice of the alarm of this number. */
export async function show(root, id) {
  const { alarm, steps } = await get(`alarms/${part(id)}`);
  const enterprise = (await get("enterprises")).find((one) => one.id === alarm.enterprise);
  const sent = steps.findLast((one) => one.state === "dispatched");
  add(root,
    el("div", { class: "bar no-print" }, el("button", { type: "button", class: "main", onclick: () => print() }, t("notice.print"))),
    el("article", { class: "paper" },
      el("h1", {}, t("notice.title")),
      el("p", { class: "serial" }, t("notice.serial", day(alarm.from_s).replaceAll("-", ""), alarm.id)),
      el("p", {}, t("notice.to", enterprise?.name ?? alarm.enterprise ?? "—")),
      el("p", {}, t("notice.intro")),
      rows(alarm),
      ...(await evidence(alarm)),
      sent?.note ? el("p", { class: "note" }, `${t("alarm.note")}: ${sent.note}`) : null,
      el("p", {}, t("notice.demand")),
      signatures(sent)),
  );
}

function rows(alarm) {
  const pairs = [
    [t("alarms.what"), either(alarm.meaning)],
    [t("notice.subject"), alarm.subject],
    [t("alarms.when"), `${span(alarm.from_s, alarm.to_s)} ${zone()} (${lasts(alarm.to_s - alarm.from_s)})`],
    ...factsOf(alarm),
  ];
  return el("table", {}, el("tbody", {}, pairs.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
}

function signatures(sent) {
  const line = (name, value) => el("p", {}, `${name}: `, el("span", { class: "blank" }, value));
  return el("div", { class: "signatures" },
    el("div", {}, line(t("notice.by"), sent?.who ?? ""), line(t("notice.date"), stamp(sent ? sent.at_ms / 1000 : now_s()).slice(0, 10))),
    el("div", {}, line(t("notice.received"), ""), line(t("notice.date"), "")));
}
