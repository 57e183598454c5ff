// All enterprises, those with open alarms first.

import { get } from "../api.js";
import { add, chip, el, link } from "../dom.js";
import { counted, list } from "../list.js";
import { to } from "../router.js";
import { scatter } from "../scatter.js";
import { either, t } from "../words.js";

/** Fetch and show; returns what asks again. query: {view: "map"}: where they are, as far as that is known. */
export async function show(root, _, query) {
  let all = [];
  const map = el("div", { class: "maps" });
  const search = el("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: put });
  const count = el("span", { class: "count", role: "status" });
  const shown = list({ name: t("enterprises"), columns: columns(), href: (one) => to("enterprise", one.id), empty: t("nothingFound") });

  function put() {
    const sought = search.value.trim().toLowerCase();
    const found = all.filter((one) => `${one.id} ${one.name}`.toLowerCase().includes(sought));
    count.textContent = counted(found.length, all.length);
    if (isMap()) map.replaceChildren(found.some(placed) ? scatter(found) : el("p", { class: "empty" }, t("nothingFound")));
    else shown.put(found);
  }

  function isMap() {
    return query.view === "map" && all.some(placed);
  }

  async function refresh() {
    all = (await get("enterprises")).sort((a, b) => b.alarms - a.alarms);
    put();
  }

  await refresh();
  root.classList.add("full");
  const lead = t(all.length ? "enterprises.lead" : "enterprises.none");
  const views = all.some(placed) ? choices(isMap()) : null;
  add(root, el("h1", {}, t("enterprises")), el("p", { class: "lead" }, lead), el("div", { class: "bar" }, views, search, count),
    isMap() ? map : shown.element);
  return refresh;
}

function placed(one) {
  return one.place !== null;
}

function choices(isMap) {
  const one = (view, text, is) => link(to("enterprises", "", view), text, { "aria-current": is ? "true" : null });
  return el("span", { class: "choices" }, one({}, t("list"), !isMap), one({ view: "map" }, t("map"), isMap));
}

function columns() {
  return [
    { key: "name", head: t("enterprises.name"), place: "first", cell: (one) => one.name, by: (one) => one.name },
    { key: "id", head: t("alarms.id"), place: "third", cell: (one) => one.id, by: (one) => one.id },
    { key: "alarms", head: t("enterprises.alarms"), place: "second", cell: alarms, by: (one) => one.alarms },
    { key: "kinds", head: t("enterprises.kinds"), place: "fourth", cell: (one) => one.kinds.map(kind).join("; ") || "—" },
    { key: "linkages", head: t("enterprises.linkages"), isNumber: true, cell: (one) => String(one.linkages.length), by: (one) => one.linkages.length },
  ];
}

function alarms(one) {
  return one.alarms ? chip("bad", t("fleet.alarmed", one.alarms)) : chip("good", t("none"));
}

function kind({ meaning, alarms: count }) {
  return count > 1 ? `${either(meaning)} × ${count}` : either(meaning);
}
