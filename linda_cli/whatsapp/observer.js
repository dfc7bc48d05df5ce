// Runs in each document of the page from its first moments on. Gathers what is on show, compares it with what was said last, and
// says it again only when something changed: the page announces its state, nobody polls it from outside.
// `page`, `keys` and `announce` (the name of the binding) are filled in by observer.py. What throws is said too: a fact
// that cannot be read is unknown (null), and never absent.
((page, keys, announce) => {
  if (window.top !== window) return "not the top";
  if (window[announce + "_pulse"]) return "there already";
  const tell = window[announce];
  if (typeof tell !== "function") return "no binding";
  // What the page may replace later is kept as it is now.
  const { stringify } = JSON;
  const later = window.setTimeout.bind(window);
  try { delete window[announce]; } catch (problem) { /* it stays reachable, which harms nothing */ }
  let said = "";
  let due = 0;
  let turns = 0;
  let databases = null;
  let asked = 0;
  // When there was last a message or input. A message moves something in the list of chats, whoever has sent it.
  const { performance } = window;
  let stirred = performance.now();
  let watched = null;
  const stir = () => { stirred = performance.now(); };
  const watch = (pane) => {
    if (!pane || pane === watched) return;
    try {
      new MutationObserver(stir).observe(pane, { subtree: true, childList: true, characterData: true });
      watched = pane;
      stir();
    } catch (problem) { /* then nobody can say that it was quiet */ }
  };

  const all = (name) => {
    const found = [];
    for (const selector of page.selectors[name] || []) {
      for (const one of document.querySelectorAll(selector)) if (!found.includes(one)) found.push(one);
      if (found.length) break;
    }
    return found;
  };
  const first = (name) => {
    for (const selector of page.selectors[name] || []) {
      const found = document.querySelector(selector);
      if (found) return found;
    }
    return null;
  };
  // A property of a module, or what its function of that name returns.
  const read = (path) => {
    try {
      let value = window.require(path[0]);
      for (const name of path.slice(1)) value = typeof value[name] === "function" ? value[name]() : value[name];
      return typeof value === "string" ? value : null;
    } catch (problem) { return null; }
  };
  const percent = () => {
    const bar = first("progress");
    if (!bar) return null;
    const value = Number(bar.value ?? bar.getAttribute("aria-valuenow") ?? bar.getAttribute("value"));
    const most = Number(bar.max ?? bar.getAttribute("aria-valuemax") ?? bar.getAttribute("max")) || 100;
    return Number.isFinite(value) && (bar.hasAttribute("value") || bar.hasAttribute("aria-valuenow"))
      ? Math.max(0, Math.min(100, Math.round((100 * value) / most))) : null;
  };
  const code = (has) => {
    const shape = new RegExp(page.code_text);
    const tidy = (text) => {
      const plain = (text || "").replace(/[^A-Za-z0-9]/g, "").toUpperCase();
      return plain.length === 8 ? plain.slice(0, 4) + "-" + plain.slice(4) : null;
    };
    const cell = first("code");
    if (cell) return tidy(cell.getAttribute("data-link-code") || cell.textContent);
    if (!document.body || has.pane || has.qr || has.loading) return null;
    // Last resort: the eight characters as the page writes them, in an element with no element inside it.
    for (const one of document.body.querySelectorAll("span, div, p, strong, code")) {
      if (!one.firstElementChild && shape.test(one.textContent.trim())) return one.textContent.trim();
    }
    return null;
  };
  // "" where the key is not there, null where that cannot be known.
  const stored = (key) => {
    try { return window.localStorage.getItem(key) ?? ""; } catch (problem) { return null; }
  };
  const SILENT = new Set(["SCRIPT", "STYLE", "TEMPLATE", "NOSCRIPT", "HEAD", "TITLE"]);
  // What a person could read: scripts of all pages hold all kinds of words.
  const visible = (root, most) => {
    let text = "";
    const walk = (node) => {
      if (text.length > most) return;
      if (node.nodeType === Node.TEXT_NODE) text += node.nodeValue + " ";
      else if (node.nodeType === Node.ELEMENT_NODE && !SILENT.has(node.tagName)
        && (!node.checkVisibility || node.checkVisibility())) node.childNodes.forEach(walk);
    };
    if (root) walk(root);
    return text.replace(/\s+/g, " ").trim().slice(0, most);
  };
  // What stands where, without what it says: names of elements, ids and test ids, digits replaced.
  const structure = () => {
    const lines = [];
    const walk = (node, depth) => {
      if (lines.length >= 200 || depth > 12 || SILENT.has(node.tagName)) return;
      const marks = [node.id && "#" + node.id, node.getAttribute("data-testid") && "@" + node.getAttribute("data-testid"),
        node.getAttribute("role") && "role=" + node.getAttribute("role")].filter(Boolean).join(" ");
      lines.push("  ".repeat(depth) + node.tagName.toLowerCase() + (marks ? " " + marks.replace(/\d/g, "0").slice(0, 120) : ""));
      for (const child of node.children) walk(child, depth + 1);
    };
    if (document.body) walk(document.body, 0);
    return lines.length > 1 ? lines.join("\n") : null;
  };
  const lookAtDatabases = (now) => {
    if (now - asked < 2000 || !window.indexedDB?.databases) return;
    asked = now;
    window.indexedDB.databases().then(
      (some) => { databases = some.map((one) => String(one.name).slice(0, 80)).sort().slice(0, 50); },
      () => { databases = null; },
    );
  };
  const look = () => {
    const has = {};
    for (const name of Object.keys(page.selectors)) has[name] = first(name) !== null;
    if (has.pane) watch(first("pane"));
    const qr = first("qr");
    const wid = stored(keys.wid);
    const noise = stored(keys.noise);
    if (wid && noise) { databases = null; asked = 0; } else lookAtDatabases(Date.now());
    const known = has.pane || qr || has.loading || has.qr_area || has.phone_input || has.passkey || !document.body;
    const text = known ? "" : visible(document.body, 20000);
    const says = known ? null : (first("message") ? visible(first("message"), 300) : null);
    return {
      url: location.href,
      has,
      ref: qr ? qr.getAttribute(page.ref_attribute) : null,
      canvas: qr ? qr.querySelector("canvas") !== null : false,
      code: has.phone_input ? null : code(has),
      percent: percent(),
      socket: read(page.modules.socket),
      mode: read(page.modules.mode),
      why: read(page.modules.logout_reason),
      wid,
      noise,
      popups: all("popup_ok").length,
      databases,
      unsupported: page.texts.unsupported.some((one) => text.includes(one)),
      message: says,
      structure: known ? null : structure(),
    };
  };
  const say = () => {
    due = 0;
    turns += 1;
    let now;
    try {
      now = stringify(look());
    } catch (problem) {
      const plain = String(problem).replace(/[^ -~]|["\\]/g, "?").slice(0, 200);
      now = '{"url": "' + String(location.href).replace(/["\\]/g, "?") + '", "error": "' + plain + '"}';
    }
    if (now !== said) {
      said = now;
      tell(now);
    }
  };
  const soon = () => { if (!due) due = later(say, 15); };

  for (const name of ["keydown", "pointerdown", "input", "paste"]) addEventListener(name, stir, { capture: true, passive: true });
  Object.defineProperty(window, announce + "_quiet", {
    value: () => (watched && watched.isConnected ? Math.round(performance.now() - stirred) : -1),
  });
  Object.defineProperty(window, announce + "_pulse", { value: () => { say(); return turns; } });
  try {
    new MutationObserver(soon).observe(document, {
      subtree: true, childList: true, attributes: true, characterData: false,
      attributeFilter: [page.ref_attribute, "data-testid", "id", "value", "aria-valuenow", "data-link-code"],
    });
  } catch (problem) { /* the look below, ten times a second, does without it */ }
  addEventListener("popstate", soon);
  addEventListener("hashchange", soon);
  addEventListener("storage", soon);
  // The socket's state is a plain property: no event says that it moved, so it is looked at ten times a second.
  setInterval(say, 100);
  say();
  return "observing";
})
