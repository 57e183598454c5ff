// A linkage's production against its treatment: uPlot, with alarms, gaps and doubtful readings drawn on it.

import { el } from "./dom.js";
import { clock, drawn, monthDay, now_s, stamp } from "./time.js";
import { kilowatts, lasts, t } from "./words.js";

const DASHES = [[], [8, 3], [3, 3], [10, 3, 2, 3]]; // a line a point of a side, told apart without colour
const GAP_PX = 6;
const ALARM_PX = 3; // at least: an hour of a month is not to be overlooked
const LONG_S = 8 * 86400; // from here on lines are thin: a furnace's heats would be one block
const HEIGHT_PX = { wide: 320, phone: 240 };
const PHONE = matchMedia("(max-width: 45rem)");
let library = null;
loaded().catch(() => {}); // while the data come; a chart says what failed

/** A figure for linkage {name, production, treatment, ..._on_w} out of the API's `Curves`. alarms: those of it. */
export async function chart(linkage, shown, alarms) {
  await loaded();
  const sides = [
    ...sideOf(linkage.production, shown.curves, "production"),
    ...sideOf(linkage.treatment, shown.curves, "treatment"),
  ];
  const place = el("div", { class: "plot" });
  const figure = el("figure", { class: "chart", role: "img", "aria-label": said(linkage, sides, shown, alarms) }, place);
  let plot = null;
  const fit = () => {
    const size = { width: place.clientWidth, height: PHONE.matches ? HEIGHT_PX.phone : HEIGHT_PX.wide };
    if (!size.width) return;
    if (plot) plot.setSize(size);
    else plot = new globalThis.uPlot({ ...optionsOf(linkage, sides, shown, alarms, coloursOf(place)), ...size }, dataOf(sides, shown), place);
  };
  new ResizeObserver(fit).observe(place);
  return figure;
}

/** uPlot, with the first page that has a chart; asked for again where it did not come. */
function loaded() {
  library ??= Promise.all([
    fetched("script", { src: "vendor/uPlot.min.js" }),
    fetched("link", { rel: "stylesheet", href: "vendor/uPlot.min.css" }),
  ]).catch((error) => {
    library = null;
    throw error;
  });
  return library;
}

function fetched(name, props) {
  return new Promise((resolve, reject) => {
    const failed = () => {
      node.remove();
      reject(new Error("uPlot"));
    };
    const node = el(name, { ...props, onload: resolve, onerror: failed });
    document.head.append(node);
  });
}

function sideOf(points, curves, side) {
  const found = curves.filter((one) => points.includes(one.point));
  return found.map((curve, place) => ({ curve, side, dash: DASHES[place % DASHES.length] }));
}

/** Each quarter of an hour twice, at its begin and its end: a mean holds all the while, and ends where there is no next. */
function dataOf(sides, shown) {
  const count = (shown.to_s - shown.from_s) / shown.step_s;
  const starts = Array.from({ length: count }, (_, place) => shown.from_s + place * shown.step_s);
  const times = starts.flatMap((s) => [s, s + shown.step_s - 1]);
  const twice = (watts) => (watts === null ? [null, null] : [watts / 1000, watts / 1000]);
  return [times, ...sides.map(({ curve }) => curve.power_w.flatMap(twice))];
}

function optionsOf(linkage, sides, shown, alarms, colour) {
  return {
    tzDate: drawn,
    scales: { x: { time: true, range: [shown.from_s, shown.to_s] }, production: { range: upTo(1.08) }, treatment: { range: upTo(1.6) } },
    series: [{ label: t("enterprise.time"), value: (_, s) => (s === null ? "—" : stamp(s - (s % shown.step_s))) }, ...sides.map((one) => seriesOf(one, colour, shown.to_s - shown.from_s))],
    axes: [
      { stroke: colour.muted, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line }, values: labels, space: 64 },
      axisOf("production", 3, colour),
      axisOf("treatment", 1, colour),
    ],
    cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    legend: { live: true },
    hooks: {
      drawClear: [(plot) => behind(plot, sides, shown, alarms, colour)],
      draw: [(plot) => thresholds(plot, linkage, colour)],
    },
  };
}

function seriesOf({ curve, side, dash }, colour, lasts_s) {
  return {
    label: `${curve.name} ${curve.point}`,
    scale: side,
    stroke: colour[side],
    width: lasts_s > LONG_S ? 1 : 2,
    dash,
    fill: side === "production" ? colour.area : undefined,
    spanGaps: false,
    value: (_, kw) => (kw === null ? "—" : kilowatts(kw * 1000)),
    points: { show: true, filter: () => curve.marked.map((place) => 2 * place), size: 10, width: 2, stroke: colour.bad, fill: colour.card },
  };
}

function axisOf(side, place, colour) {
  return {
    scale: side,
    side: place,
    label: PHONE.matches ? undefined : `${t(`enterprise.${side}`)} kW`, // there colours must do, as in the legend
    labelSize: 20,
    size: PHONE.matches ? 38 : 52,
    stroke: colour[side],
    grid: { show: side === "production", stroke: colour.line, width: 1 },
    ticks: { stroke: colour.line },
  };
}

/** From 0 to so many times the highest: treatment has more room above it, so that it does not lie on production. */
function upTo(share) {
  return (_, __, highest) => [0, highest > 0 ? highest * share : 1];
}

function labels(_, splits) {
  return splits.map((s, place) => (place === 0 || clock(s) === "00:00" ? `${clock(s)}\n${monthDay(s)}` : clock(s)));
}

/** Under the lines: spans of alarms, and along the bottom where some point has no reading. */
function behind(plot, sides, shown, alarms, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const one of alarms) {
    const from = plot.valToPos(Math.max(one.from_s, shown.from_s), "x", true);
    const to = Math.max(plot.valToPos(Math.min(one.to_s, shown.to_s), "x", true), from + ALARM_PX * devicePixelRatio);
    ctx.fillStyle = colour.shade;
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.fillStyle = colour.bad;
    ctx.fillRect(from, bbox.top, to - from, 3 * devicePixelRatio);
  }
  ctx.fillStyle = colour.gap;
  for (const [from, to] of gapsOf(sides, shown)) {
    const [left, right] = [from, to].map((place) => plot.valToPos(shown.from_s + place * shown.step_s, "x", true));
    ctx.fillRect(left, bbox.top + bbox.height - GAP_PX * devicePixelRatio, right - left, GAP_PX * devicePixelRatio);
  }
  ctx.restore();
}

/** [from, to) places in a row at which a point of the linkage has no reading, as far as the time has come. */
function gapsOf(sides, shown) {
  const found = [];
  const count = Math.floor((Math.min(shown.to_s, now_s()) - shown.from_s) / shown.step_s);
  for (let place = 0; place < count; place++) {
    if (sides.every(({ curve }) => curve.power_w[place] !== null)) continue;
    if (found.length && found.at(-1)[1] === place) found.at(-1)[1] = place + 1;
    else found.push([place, place + 1]);
  }
  return found;
}

function thresholds(plot, linkage, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const side of ["production", "treatment"]) {
    const y = plot.valToPos(linkage[`${side}_on_w`] / 1000, side, true);
    if (y < bbox.top) continue;
    ctx.strokeStyle = colour[side];
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** The colours of the place that it stands in: a sheet of paper is light, whatever is around it. */
function coloursOf(place) {
  const style = getComputedStyle(place);
  const names = ["production", "treatment", "muted", "line", "bad", "shade", "gap", "card", "area"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The chart in a sentence, for who can't see it. */
function said(linkage, sides, shown, alarms) {
  const missing = gapsOf(sides, shown).reduce((sum, [from, to]) => sum + to - from, 0) * shown.step_s;
  return t("enterprise.chartSays", linkage.name, mean(sides, "production"), mean(sides, "treatment"), alarms.length, lasts(missing));
}

function mean(sides, side) {
  const powers = sides.filter((one) => one.side === side).flatMap(({ curve }) => curve.power_w.filter((watts) => watts !== null));
  return kilowatts(powers.length ? powers.reduce((sum, one) => sum + one, 0) / powers.length : null);
}
