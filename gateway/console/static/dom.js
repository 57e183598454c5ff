// Elements, made without any HTML text: what comes from outside becomes text nodes, never markup.

/** A new element. props: `on...` are listeners, `class`, `role`, `aria-*`, `data-*` attributes, all else properties. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "role" || key === "for" || key.includes("-")) node.setAttribute(key, String(value));
    else node[key] = value;
  }
  return add(node, ...children);
}

/** Add children: nodes, texts, lists of them; null and false are none. Returns the node. */
export function add(node, ...children) {
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return node;
}

/** Put children in the place of those that a node has. */
export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, ...children);
}

/** A link to a page of the console. */
export function link(href, text, props = {}) {
  return el("a", { href, ...props }, text);
}

/** A button; `act` may be asynchronous: until it is done the button cannot be pressed again. */
export function button(text, act, props = {}) {
  const node = el("button", { type: "button", ...props }, text);
  node.addEventListener("click", async () => {
    node.disabled = true;
    try {
      await act();
    } finally {
      node.disabled = false;
    }
  });
  return node;
}

/** A small label whose colour and text both tell: kind is `bad`, `warn`, `good` or `calm`. */
export function chip(kind, text) {
  return el("span", { class: `chip ${kind}` }, text);
}

/** A table; each row has a text or node for each head. */
export function table(heads, rows) {
  const head = el("tr", {}, heads.map((one) => el("th", { scope: "col" }, one)));
  const body = rows.map((row) => el("tr", {}, row.map((one) => el("td", {}, one))));
  return el("div", { class: "scroll", tabIndex: 0 }, el("table", {}, el("thead", {}, head), el("tbody", {}, body)));
}

/** Pairs of a name and what it is. */
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
