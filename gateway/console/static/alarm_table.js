// Alarms in a few lines: below a chart, as a list of links.

import { chip, el, link } from "./dom.js";
import { to } from "./router.js";
import { span } from "./time.js";
import { either, lasts, t } from "./words.js";

const KIND = { open: "bad", acknowledged: "warn", dispatched: "warn", answered: "warn", closed: "good", withdrawn: "calm" };

/** A table of alarms. */
export function alarmTable(alarms) {
  const rows = alarms.map((one) =>
    el("li", {}, stateChip(one), link(to("alarm", one.id), either(one.meaning)), el("span", {}, one.subject),
      el("span", { class: "when" }, `${span(one.from_s, one.to_s)} (${lasts(one.to_s - one.from_s)})`)),
  );
  return el("ul", { class: "alarms" }, rows);
}

/** An alarm's state as a label. */
export function stateChip(alarm) {
  return chip(KIND[alarm.state], t(`state.${alarm.state}`));
}

/** Whether an alarm is a linkage's, of one of its points, or of two that are alike ("T0001/1 = T0001/2"). */
export function isOf(alarm, linkage, points) {
  return alarm.subject === linkage || points.some((one) => alarm.subject.split(" = ").includes(one));
}
