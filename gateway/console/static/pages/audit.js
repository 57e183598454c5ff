// The log of changes: who did what by the console, or tried to.

import { get } from "../api.js";
import { add, chip, el, fill, table } from "../dom.js";
import { stamp } from "../time.js";
import { t } from "../words.js";

const LIMIT = 500; // the newest; the rest is in the store
const DONE_BELOW = 300;

/** Fetch and show; returns what asks again. */
export async function show(root) {
  const below = el("div", {});
  async function refresh() {
    const found = await get("audit", { limit: LIMIT });
    const heads = [t("gaps.at"), t("audit.who"), t("audit.address"), t("audit.action"), t("audit.asked"), t("audit.status")];
    fill(below, found.length ? table(heads, found.map(row)) : el("p", { class: "empty" }, t("nothingFound")));
  }
  await refresh();
  add(root, el("h1", {}, t("audit")), el("p", { class: "lead" }, t("audit.lead")), below);
  return refresh;
}

function row(one) {
  const status = chip(one.status < DONE_BELOW ? "good" : "bad", String(one.status));
  return [stamp(one.at_ms / 1000), one.who, one.address, el("code", {}, one.action), el("code", { class: "asked" }, one.asked), status];
}
