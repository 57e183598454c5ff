// A table of any number of rows, of which only those in sight are in the document.

import { el } from "./dom.js";
import { number, t } from "./words.js";

const SPARE = 6; // rows kept ready above and below what is seen: a wheel's turn
const PHONE = matchMedia("(max-width: 45rem)");
const ROW_PX = { wide: 40, phone: 76 }; // as `.row` has it in parts.css

/**
 * columns: [{key, head, cell(row) -> text or node, by(row) -> what it is sorted by, place}], where place is the cell's on a
 * phone: `first`, `second`, `third`, `fourth`, or left out. href(row): what the row opens. Rows come sorted; a press on a
 * head sorts anew, a second turns it round, a third gives the first order back.
 * Returns {element, put(rows)}.
 */
export function list({ name, columns, href, empty }) {
  let rows = [];
  let order = { key: "", turned: false };
  const drawn = new Map();
  const head = el("div", { class: "row head", role: "row" }, columns.map((one) => headOf(one, sortBy)));
  const space = el("div", { class: "space" });
  const body = el("div", { class: "rows", role: "rowgroup", tabIndex: 0, "aria-label": name }, space);
  const none = el("p", { class: "empty", hidden: true }, empty);
  const element = el("div", { class: "list", role: "table", "aria-label": name }, head, body, none);

  function put(given) {
    rows = given;
    element.setAttribute("aria-rowcount", String(rows.length + 1));
    none.hidden = rows.length > 0;
    again();
  }

  function again() {
    for (const node of drawn.values()) node.remove();
    drawn.clear();
    space.style.height = `${rows.length * height()}px`;
    show();
  }

  function show() {
    const first = Math.max(0, Math.floor(body.scrollTop / height()) - SPARE);
    const last = Math.min(rows.length, Math.ceil((body.scrollTop + body.clientHeight) / height()) + SPARE);
    for (const [place, node] of drawn) {
      if (place < first || place >= last) {
        node.remove();
        drawn.delete(place);
      }
    }
    const shown = ordered();
    for (let place = first; place < last; place++) {
      if (drawn.has(place)) continue;
      const node = rowOf(shown[place], place);
      drawn.set(place, node);
      space.append(node);
    }
  }

  function rowOf(row, place) {
    const cells = columns.map((one) => el("span", { class: classOf(one), role: "cell" }, one.cell(row)));
    const node = el("a", { class: "row", role: "row", href: href(row), "aria-rowindex": place + 2 }, cells);
    node.style.transform = `translateY(${place * height()}px)`;
    return node;
  }

  let cached = { rows: null, order: null, found: [] };
  function ordered() {
    if (cached.rows === rows && cached.order === order) return cached.found;
    const column = columns.find((one) => one.key === order.key);
    const found = column ? [...rows].sort((a, b) => compared(column.by(a), column.by(b)) * (order.turned ? -1 : 1)) : rows;
    cached = { rows, order, found };
    return found;
  }

  function sortBy(key) {
    if (order.key !== key) order = { key, turned: false };
    else order = order.turned ? { key: "", turned: false } : { key, turned: true };
    for (const [place, one] of columns.entries()) {
      const sorted = one.key === order.key ? (order.turned ? "descending" : "ascending") : "none";
      if (one.by) head.children[place].setAttribute("aria-sort", sorted);
    }
    body.scrollTop = 0;
    again();
  }

  body.addEventListener("scroll", show, { passive: true });
  body.addEventListener("keydown", (event) => step(event, body));
  new ResizeObserver(again).observe(body);
  return { element, put };
}

/** How many of how many are shown. */
export function counted(shown, all) {
  return shown === all ? t("count", number(all)) : t("countOf", number(shown), number(all));
}

function height() {
  return PHONE.matches ? ROW_PX.phone : ROW_PX.wide;
}

function headOf(column, sortBy) {
  const props = { class: classOf(column), role: "columnheader" };
  if (!column.by) return el("span", props, column.head);
  const press = el("button", { type: "button", title: t("sortedBy"), onclick: () => sortBy(column.key) }, column.head);
  return el("span", { ...props, "aria-sort": "none" }, press);
}

function classOf(column) {
  return `cell ${column.place ?? "wide"} ${column.isNumber ? "number" : ""}`;
}

function compared(one, other) {
  if (typeof one === "string" || typeof other === "string") return String(one).localeCompare(String(other));
  return (one ?? -Infinity) - (other ?? -Infinity);
}

/** Arrows go from row to row, as far as there are any. */
function step(event, body) {
  const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!down) return;
  event.preventDefault();
  const links = [...body.querySelectorAll("a.row")].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex);
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? links.find((one) => one.getBoundingClientRect().top >= body.getBoundingClientRect().top) : links[at + down];
  next?.focus();
}
