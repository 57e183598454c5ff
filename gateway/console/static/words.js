// What the pages say, in Chinese and English.

import { language } from "./settings.js";
import { WORDS } from "./dictionary.js";

/** A word or sentence, with its {0}, {1} ... filled in. */
export function t(key, ...values) {
  const [zh, en] = WORDS[key] ?? [key, key];
  const text = language() === "zh" ? zh : en;
  return text.replace(/\{(\d)\}/g, (_, place) => String(values[Number(place)]));
}

/** The word of a key that may not be known: then the code itself. */
export function named(group, code) {
  return WORDS[`${group}.${code}`] ? t(`${group}.${code}`) : code;
}

/** One of the API's pairs of English and Chinese. */
export function either([en, zh]) {
  return language() === "zh" ? (zh ?? en) : en;
}

/** A length of time: 2 days 3 h, 45 min. */
export function lasts(seconds) {
  const minutes = Math.max(0, Math.round(seconds / 60));
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days) return hours ? t("time.daysHours", days, hours) : t("time.days", days);
  if (hours) return minutes % 60 ? t("time.hoursMinutes", hours, minutes % 60) : t("time.hours", hours);
  return t("time.minutes", minutes);
}

/** A power in kW. */
export function kilowatts(watts) {
  return watts === null || watts === undefined ? "—" : `${(watts / 1000).toFixed(2)} kW`;
}

/** A number with its thousands set apart. */
export function number(value) {
  return value.toLocaleString(language() === "zh" ? "zh-CN" : "en-GB");
}
