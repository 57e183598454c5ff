// Alarms: what the watch found, the newest first.

import { get } from "../api.js";
import { stateChip } from "../alarm_table.js";
import { add, el, link } from "../dom.js";
import { counted, list } from "../list.js";
import { to } from "../router.js";
import { span } from "../time.js";
import { either, lasts, number, t } from "../words.js";

const LIMIT = 1000; // of the API
const STATES = ["open", "acknowledged", "dispatched", "answered", "closed", "withdrawn"];

/** query: {state}: only these. */
export async function show(root, _, query) {
  let all = [];
  const state = STATES.includes(query.state) ? query.state : "";
  const search = el("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: put });
  const count = el("span", { class: "count", role: "status" });
  const shown = list({ name: t("alarms"), columns: columns(), href: (one) => to("alarm", one.id), empty: t("nothingFound") });

  function put() {
    const sought = search.value.trim().toLowerCase();
    const found = all.filter((one) => [one.enterprise, one.subject, ...one.meaning].join(" ").toLowerCase().includes(sought));
    count.textContent = all.length < LIMIT ? counted(found.length, all.length) : t("isCut", number(LIMIT));
    shown.put(found);
  }

  async function refresh() {
    all = await get("alarms", { state, limit: LIMIT });
    put();
  }

  await refresh();
  root.classList.add("full");
  add(root, el("h1", {}, t("alarms")), el("div", { class: "bar" }, choices(state), search, count), shown.element);
  return refresh;
}

function choices(state) {
  const one = (name, text) => link(to("alarms", "", name ? { state: name } : {}), text, { "aria-current": name === state ? "true" : null });
  return el("span", { class: "choices" }, one("", t("all")), STATES.map((name) => one(name, t(`state.${name}`))));
}

function columns() {
  return [
    { key: "id", head: t("alarms.id"), isNumber: true, cell: (one) => String(one.id), by: (one) => one.id },
    { key: "state", head: t("alarms.state"), place: "second", cell: stateChip, by: (one) => STATES.indexOf(one.state) },
    { key: "what", head: t("alarms.what"), place: "first", cell: (one) => either(one.meaning), by: (one) => either(one.meaning) },
    { key: "where", head: t("alarms.where"), place: "third", cell: (one) => [one.enterprise, one.subject].filter(Boolean).join(" · "), by: (one) => one.enterprise },
    { key: "when", head: t("alarms.when"), place: "fourth", cell: (one) => span(one.from_s, one.to_s), by: (one) => one.from_s },
    { key: "lasted", head: t("alarms.lasted"), isNumber: true, cell: (one) => lasts(one.to_s - one.from_s), by: (one) => one.to_s - one.from_s },
  ];
}
