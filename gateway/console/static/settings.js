// Language and theme: what was chosen, else what the browser prefers.

const LANGUAGES = ["zh", "en"];
const THEMES = ["light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");

/** The language that is shown: Chinese where the browser asks for neither. */
export function language() {
  const preferred = navigator.languages.map((one) => one.slice(0, 2).toLowerCase());
  return kept("language", LANGUAGES) ?? preferred.find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];
}

/** The other language. */
export function otherLanguage() {
  return LANGUAGES.find((one) => one !== language());
}

/** The theme that is shown. */
export function theme() {
  return kept("theme", THEMES) ?? (dark.matches ? "dark" : "light");
}

/** Keep a choice for this browser, and show it. */
export function choose(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // a browser that keeps nothing shows its own preference again next time
  }
  apply();
}

/** Show language and theme in the document's root. */
export function apply() {
  document.documentElement.lang = language();
  document.documentElement.dataset.theme = theme();
}

dark.addEventListener("change", apply);

function kept(name, allowed) {
  try {
    const value = localStorage.getItem(name);
    return allowed.includes(value) ? value : null;
  } catch {
    return null;
  }
}
