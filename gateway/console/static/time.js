// Times as the gateway's operators have them: its clock, its zone, whatever the browser's are.

const DAY_S = 86400;
const HOUR_S = 3600;
let ahead_ms = 0;
let offset_s = 8 * HOUR_S;

/** The gateway's time and zone, as `me` gave them. */
export function setClock(now_s, utc_offset_h) {
  ahead_ms = now_s * 1000 - Date.now();
  offset_s = utc_offset_h * HOUR_S;
}

/** Now, by the gateway's clock, in Unix seconds. */
export function now_s() {
  return Math.floor((Date.now() + ahead_ms) / 1000);
}

/** The zone's name, as UTC+8. */
export function zone() {
  const hours = offset_s / HOUR_S;
  return `UTC${hours < 0 ? "−" : "+"}${Math.abs(hours)}`;
}

/** 2026-03-01 */
export function day(s) {
  return iso(s).slice(0, 10);
}

/** 08:15 */
export function clock(s) {
  return iso(s).slice(11, 16);
}

/** 03-01 */
export function monthDay(s) {
  return iso(s).slice(5, 10);
}

/** 2026-03-01 08:15 */
export function stamp(s) {
  return `${day(s)} ${clock(s)}`;
}

/** 2026-03-01 08:15 – 09:00, or with the second day where it is another. */
export function span(from_s, to_s) {
  const end = day(from_s) === day(to_s) ? clock(to_s) : stamp(to_s);
  return `${stamp(from_s)} – ${end}`;
}

/** The Unix second at which the day begins that holds s; `days` later. */
export function dayStart(s, days = 0) {
  return (dayNumber(s) + days) * DAY_S - offset_s;
}

/** The Unix second at which the month begins that holds s; `months` later. */
export function monthStart(s, months = 0) {
  const at = new Date((s + offset_s) * 1000);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1) / 1000 - offset_s;
}

/** The Unix second at which a day begins that is named as <input type="date"> does; NaN: none. */
export function dayNamed(text) {
  return Date.parse(`${text}T00:00:00Z`) / 1000 - offset_s;
}

/** The number of the day that holds s, since 1970-01-01 there. */
export function dayNumber(s) {
  return Math.floor((s + offset_s) / DAY_S);
}

/** The weekday of s, 0 is Monday. */
export function weekday(s) {
  return (dayNumber(s) + 3) % 7;
}

/** A Date whose own parts, in the browser's zone, are those of the gateway's: for what can only draw those. */
export function drawn(s) {
  const at = new Date(s * 1000);
  return new Date((s + offset_s + at.getTimezoneOffset() * 60) * 1000);
}

function iso(s) {
  return new Date((s + offset_s) * 1000).toISOString();
}
