// Refused frames, the newest first: why each was refused, and having them tried again or forgotten.

import { get } from "../api.js";
import { add, el, fill, link } from "../dom.js";
import { orders, reason } from "../frames.js";
import { counted, list } from "../list.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { stamp } from "../time.js";
import { number, t } from "../words.js";

const LIMIT = 1000; // of the API

/** query: {reason}: only these. */
export async function show(root, _, query) {
  let [all, found] = [[], []];
  const search = el("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: put });
  const [count, choices] = [el("span", { class: "count", role: "status" }), el("span", { class: "choices" })];
  const shown = list({ name: t("quarantine"), columns: columns(), href: (one) => to("frame", one.id), empty: t("quarantine.none") });

  function put() {
    const sought = search.value.trim().toLowerCase();
    found = all.filter((one) => `${one.source} ${one.reason}`.toLowerCase().includes(sought));
    count.textContent = all.length < LIMIT ? counted(found.length, all.length) : t("isCut", number(LIMIT));
    shown.put(found);
  }

  async function refresh() {
    const given = await get("quarantine", { reason: query.reason, limit: LIMIT });
    all = given.frames;
    const sum = Object.values(given.counts).reduce((one, other) => one + other, 0);
    const choice = (code, text) => link(to("quarantine", "", code ? { reason: code } : {}), text, { "aria-current": (query.reason ?? "") === code ? "true" : null });
    const codes = Object.entries(given.counts).map(([code, many]) => choice(code, `${code} ${number(many)}`));
    fill(choices, choice("", `${t("all")} ${number(sum)}`), ...codes);
    put();
  }

  await refresh();
  root.classList.add("full");
  const act = may("operator") ? orders(() => found.map((one) => one.id), refresh, "quarantine") : null;
  add(root, el("h1", {}, t("quarantine")), el("p", { class: "lead" }, t("quarantine.lead")), el("div", { class: "bar" }, choices, search, count), act, shown.element);
  return refresh;
}

function columns() {
  return [
    { key: "source", head: t("fleet.id"), place: "first", cell: (one) => one.source || "—", by: (one) => one.source },
    { key: "reason", head: t("quarantine.code"), cell: (one) => one.reason, by: (one) => one.reason },
    { key: "meaning", head: t("quarantine.why"), place: "third", cell: reason, by: reason },
    { key: "received", head: t("quarantine.received"), place: "second", cell: (one) => stamp(one.received_ms / 1000), by: (one) => one.received_ms },
    { key: "length", head: t("quarantine.bytes"), isNumber: true, cell: (one) => number(one.length), by: (one) => one.length },
  ];
}
