// Where enterprises are: a plain drawing, north up, without any tile of a map.

import { el } from "./dom.js";
import { to } from "./router.js";
import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000; // of the drawing's own units, in which radii are
const [LOWEST, HIGHEST] = [0.35, 1.1]; // of its height by its width: a province that is a line is still seen
const MARGIN = 60;
const KM_A_DEGREE = 111.2; // of latitude
const LABELS_MAX = 20; // names beside dots: more cover each other
const MANY = 200; // dots, from which on they are small

/** A dot for each enterprise that has a place, a link to it; those with alarms are larger, red, and above the others. */
export function scatter(all) {
  const placed = all.filter((one) => one.place).sort((a, b) => a.alarms - b.alarms);
  const { x, y, height, km } = projection(placed.map((one) => one.place));
  const labelled = new Set(placed.filter((one) => one.alarms || placed.length <= LABELS_MAX).slice(-LABELS_MAX));
  const dots = placed.map((one) => {
    const [cx, cy] = [x(one.place), y(one.place)];
    const told = `${one.name}: ${one.alarms ? t("fleet.alarmed", one.alarms) : t("none")}`;
    const link = svg("a", { href: to("enterprise", one.id), class: one.alarms ? "dot bad" : "dot", "aria-label": told, tabindex: one.alarms ? 0 : -1 });
    link.append(titled(told), svg("circle", { cx, cy, r: one.alarms ? 16 : 10 }));
    if (labelled.has(one)) link.append(label(one.name, cx, cy));
    return link;
  });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": t("map"), class: placed.length > MANY ? "many" : "few" });
  drawing.append(...scale(km, height), ...dots);
  return el("figure", { class: "map card" }, drawing);
}

/** Degrees to the drawing's units: as wide as it is north to south in the middle of them. */
function projection(places) {
  const [south, north] = ends(places.map((one) => one.latitude));
  const [west, east] = ends(places.map((one) => one.longitude));
  const narrowing = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const wide = Math.max((east - west) * narrowing, 0.02); // some 2 km, where there is one alone
  const high = Math.min(Math.max(north - south, wide * LOWEST), Math.max(wide * HIGHEST, north - south));
  const unit = Math.min((WIDTH - 2 * MARGIN) / wide, (WIDTH * HIGHEST - 2 * MARGIN) / high);
  const height = Math.round(high * unit + 2 * MARGIN);
  const [midWest, midNorth] = [(west + east) / 2, (south + north) / 2];
  return {
    x: (one) => Math.round(WIDTH / 2 + (one.longitude - midWest) * narrowing * unit),
    y: (one) => Math.round(height / 2 - (one.latitude - midNorth) * unit),
    height,
    km: unit / KM_A_DEGREE,
  };
}

/** A bar of a round number of kilometres. km: units of one. */
function scale(km, height) {
  const most = 240 / km;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].find((one) => one * power <= most) * power;
  const text = svg("text", { x: 20, y: height - 28, class: "scale" });
  text.textContent = `${length} km`;
  return [svg("path", { d: `M20 ${height - 22} v6 h${Math.round(length * km)} v-6`, class: "scale" }), text];
}

function label(name, cx, cy) {
  const isRight = cx > WIDTH * 0.75;
  const text = svg("text", { x: isRight ? cx - 30 : cx + 30, y: cy + 8, "text-anchor": isRight ? "end" : "start" });
  text.textContent = name;
  return text;
}

function titled(words) {
  const title = svg("title", {});
  title.textContent = words;
  return title;
}

function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

function ends(values) {
  return [values.reduce((one, other) => Math.min(one, other)), values.reduce((one, other) => Math.max(one, other))];
}
