// All terminals, those that need somebody first.

import { get } from "../api.js";
import { add, chip, el } from "../dom.js";
import { counted, list } from "../list.js";
import { to } from "../router.js";
import { stamp } from "../time.js";
import { lasts, number, t } from "../words.js";

const SILENT_S = 35 * 60; // as the watch has it
const RED = ["alarmed", "silent", "never"];
const KIND = { alarmed: "bad", silent: "warn", never: "warn", revoked: "calm", good: "good" };

/** Fetch and show; returns what asks again. */
export async function show(root) {
  let fleet = null;
  const search = el("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: put });
  const onlyRed = el("input", { type: "checkbox", id: "red", onchange: put });
  const [sum, count] = [el("p", { class: "lead" }), el("span", { class: "count", role: "status" })];
  const shown = list({ name: t("fleet"), columns: columns(() => fleet.now_s), href: (one) => to("gaps", one.id), empty: t("nothingFound") });

  function put() {
    const sought = search.value.trim().toLowerCase();
    const found = fleet.terminals.filter(
      (one) => (!onlyRed.checked || RED.includes(stateOf(one, fleet.now_s))) && matches(one, sought),
    );
    count.textContent = counted(found.length, fleet.terminals.length);
    shown.put(found);
  }

  async function refresh() {
    fleet = await get("terminals");
    const states = fleet.terminals.map((one) => stateOf(one, fleet.now_s));
    const of = (...names) => number(states.filter((one) => names.includes(one)).length);
    sum.textContent = t("fleet.sum", number(states.length), of("alarmed"), of("silent", "never"), of("good"));
    put();
  }

  await refresh();
  const tools = el("div", { class: "bar" }, search, el("label", { for: "red" }, onlyRed, t("fleet.onlyRed")), count);
  root.classList.add("full");
  add(root, el("h1", {}, t("fleet")), sum, tools, shown.element);
  return refresh;
}

function columns(now_s) {
  return [
    { key: "id", head: t("fleet.id"), place: "first", cell: (one) => one.id, by: (one) => one.id },
    { key: "state", head: t("fleet.state"), place: "second", cell: (one) => stateChip(one, now_s()), by: (one) => RED.indexOf(stateOf(one, now_s())) >>> 0 },
    { key: "enterprise", head: t("fleet.enterprise"), place: "third", cell: (one) => one.enterprise || "—", by: (one) => one.enterprise },
    { key: "heard", head: t("fleet.heard"), place: "fourth", cell: (one) => heard(one, now_s()), by: (one) => one.heard_s },
    { key: "pending", head: t("fleet.pending"), isNumber: true, cell: (one) => orDash(one.pending), by: (one) => one.pending },
    { key: "clock", head: t("fleet.clock"), isNumber: true, cell: (one) => orDash(one.clock_error_s, " s"), by: (one) => one.clock_error_s },
    { key: "firmware", head: t("fleet.firmware"), cell: (one) => one.firmware ?? "—", by: (one) => one.firmware ?? "" },
    { key: "points", head: t("fleet.points"), isNumber: true, cell: (one) => String(one.points), by: (one) => one.points },
  ];
}

function stateOf(one, now_s) {
  if (one.revoked) return "revoked";
  if (one.alarms) return "alarmed";
  if (one.heard_s === null) return "never";
  return now_s - one.heard_s > SILENT_S ? "silent" : "good";
}

function stateChip(one, now_s) {
  const state = stateOf(one, now_s);
  return chip(KIND[state], t(`fleet.${state}`, one.alarms));
}

function heard(one, now_s) {
  if (one.heard_s === null) return "—";
  return el("span", { title: stamp(one.heard_s) }, t("time.ago", lasts(now_s - one.heard_s)));
}

function orDash(value, unit = "") {
  return value === null ? "—" : `${number(value)}${unit}`;
}

function matches(one, sought) {
  return !sought || [one.id, one.enterprise, one.firmware ?? ""].some((text) => text.toLowerCase().includes(sought));
}
