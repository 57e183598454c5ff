// All enterprises, those with open alarms first.

import { get } from "../api.js";
import { add, chip, el } from "../dom.js";
import { counted, list } from "../list.js";
import { to } from "../router.js";
import { either, t } from "../words.js";

/** Fetch and show; returns what asks again. */
export async function show(root) {
  let all = [];
  const search = el("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: put });
  const count = el("span", { class: "count", role: "status" });
  const shown = list({ name: t("enterprises"), columns: columns(), href: (one) => to("enterprise", one.id), empty: t("nothingFound") });

  function put() {
    const sought = search.value.trim().toLowerCase();
    const found = all.filter((one) => `${one.id} ${one.name}`.toLowerCase().includes(sought));
    count.textContent = counted(found.length, all.length);
    shown.put(found);
  }

  async function refresh() {
    all = (await get("enterprises")).sort((a, b) => b.alarms - a.alarms);
    put();
  }

  await refresh();
  root.classList.add("full");
  const lead = t(all.length ? "enterprises.lead" : "enterprises.none");
  add(root, el("h1", {}, t("enterprises")), el("p", { class: "lead" }, lead), el("div", { class: "bar" }, search, count), shown.element);
  return refresh;
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
