// Runs in each document of the page from its first moments on. Gathers what is on show, compares it with what was said last, and
// says it again only when something changed: the page announces its state, nobody polls it from outside.
// `signals`, `keys` and `announce` (the name of the binding) are filled in by watch.py.
((signals, keys, announce) => {
  if (window.top !== window) return;
  const tell = window[announce];
  if (typeof tell !== "function") return;
  try { delete window[announce]; } catch (problem) { /* it stays reachable, which harms nothing */ }
  let said = "";
  let due = 0;

  const first = (name) => {
    for (const selector of signals.selectors[name] || []) {
      try {
        const found = document.querySelector(selector);
        if (found) return found;
      } catch (problem) { /* a selector this browser does not know: the next one may do */ }
    }
    return null;
  };
  const read = (path) => {
    try {
      const [module, name, field] = path;
      const value = window.require(module)[name][field];
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
  const code = () => {
    const shape = new RegExp(signals.code_text);
    const tidy = (text) => {
      const plain = (text || "").replace(/[^A-Za-z0-9]/g, "").toUpperCase();
      return plain.length === 8 ? plain.slice(0, 4) + "-" + plain.slice(4) : null;
    };
    const cell = first("code");
    if (cell) return tidy(cell.getAttribute("data-link-code") || cell.textContent);
    if (!document.body || first("pane") || first("qr")) return null;
    // Last resort: the eight characters as the page writes them, in an element with no element inside it.
    for (const one of document.body.querySelectorAll("span, div, p, strong, code")) {
      if (!one.firstElementChild && shape.test(one.textContent.trim())) return one.textContent.trim();
    }
    return null;
  };
  const stored = (key) => {
    try { return window.localStorage.getItem(key); } catch (problem) { return null; }
  };
  const look = () => {
    const has = {};
    for (const name of Object.keys(signals.selectors)) has[name] = first(name) !== null;
    const qr = first("qr");
    const holder = first("use_here");
    const text = has.pane || !document.body ? "" : document.body.textContent.slice(0, 20000);
    const popup = holder ? (holder.closest("[role=dialog]") || holder.parentElement.parentElement || holder) : null;
    return {
      url: location.href,
      has,
      ref: qr ? qr.getAttribute(signals.ref_attribute) : null,
      canvas: qr ? qr.querySelector("canvas") !== null : false,
      code: has.phone_input ? null : code(),
      percent: percent(),
      socket: read(signals.modules.socket),
      mode: read(signals.modules.mode),
      wid: stored(keys.wid),
      noise: stored(keys.noise) !== null,
      unsupported: signals.texts.unsupported.some((one) => text.includes(one)),
      popup: popup ? popup.textContent.slice(0, 400) : null,
    };
  };
  const say = () => {
    due = 0;
    let now;
    try { now = JSON.stringify(look()); } catch (problem) { return; }
    if (now !== said) {
      said = now;
      tell(now);
    }
  };
  const soon = () => { if (!due) due = setTimeout(say, 15); };

  new MutationObserver(soon).observe(document, {
    subtree: true, childList: true, attributes: true, characterData: false,
    attributeFilter: [signals.ref_attribute, "data-testid", "id", "value", "aria-valuenow", "data-link-code"],
  });
  addEventListener("popstate", soon);
  addEventListener("hashchange", soon);
  addEventListener("storage", soon);
  // The socket's state is a plain property: no event says that it moved, so it is looked at ten times a second.
  setInterval(say, 100);
  say();
})
