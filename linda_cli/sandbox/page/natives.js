// What this page needs of the browser, taken before anything of it is broken on purpose (`linda sandbox break-page`).
// The real page may override what it likes; whoever is injected into it has to live with that.

// Filled in by the server for this document: language, delays, and what is to be broken.
export const settings = window.__sandbox;
delete window.__sandbox;

export const define = window.__define;
delete window.__define;

export const stringify = JSON.stringify.bind(JSON);

const storage = window.localStorage;
const { getItem, setItem, removeItem } = Storage.prototype;
export const stored = {
  get: (key) => getItem.call(storage, key),
  set: (key, value) => setItem.call(storage, key, value),
  remove: (key) => removeItem.call(storage, key),
};

const refuse = (what) => () => {
  throw new DOMException(`${what} is not to be had on this page`, "SecurityError");
};

const BREAKS = {
  "query-selector": () => {
    for (const name of ["querySelector", "querySelectorAll"]) Document.prototype[name] = refuse(name);
  },
  "mutation-observer": () => {
    delete window.MutationObserver;
  },
  json: () => {
    JSON.stringify = refuse("JSON.stringify");
  },
  "require-throws": () => {
    window.require = refuse("require");
  },
  "require-absent": () => {
    delete window.require;
  },
  "local-storage": () => {
    Object.defineProperty(window, "localStorage", { configurable: true, get: refuse("localStorage") });
    for (const name of ["getItem", "key"]) Storage.prototype[name] = refuse(name);
  },
};

// Broken until the document ends.
export function breakPage(names) {
  for (const name of names) BREAKS[name]?.();
}

breakPage(settings.broken);
