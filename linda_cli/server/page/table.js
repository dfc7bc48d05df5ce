// The list of accounts: one row each, made once and changed in place. Rows move only when a person asks for it, so that
// nothing shifts under their hand while events come.

import { GROUPS, explained, group, moment, pretty, word } from "./words.js";

const at = (id) => document.getElementById(id);
const ORDER = Object.fromEntries(GROUPS.map(([name], index) => [name, index]));
const collator = new Intl.Collator([], { numeric: true, sensitivity: "base" });

export const accounts = new Map();
const rows = new Map();
const picked = new Set();
let shownGroup = "";

const name = (status) => status.label || pretty(status.clientId);
const SORTS = {
  problems: (a, b) => ORDER[group(a)] - ORDER[group(b)] || collator.compare(name(a), name(b)),
  name: (a, b) => collator.compare(name(a), name(b)),
  number: (a, b) => (a.clientId < b.clientId ? -1 : 1),
  connected: (a, b) => (b.sessionData.lastConnected || "").localeCompare(a.sessionData.lastConnected || ""),
  memory: (a, b) => (b.memoryMb || 0) - (a.memoryMb || 0),
};

function cell(row, kind, tag = "td") {
  const made = document.createElement(tag);
  made.className = kind;
  row.append(made);
  return made;
}

function build(number) {
  const element = document.createElement("tr");
  const pick = document.createElement("input");
  pick.type = "checkbox";
  pick.addEventListener("change", () => {
    pick.checked ? picked.add(number) : picked.delete(number);
    tellPicked();
  });
  cell(element, "c-pick").append(pick);
  const state = cell(element, "c-state");
  const badge = document.createElement("span");
  badge.className = "state";
  state.append(badge);
  const title = cell(element, "c-name", "th");
  title.scope = "row";
  const link = document.createElement("a");
  link.href = `#account/${number}`;
  const why = document.createElement("span");
  why.className = "why";
  title.append(link, why);
  const shown = cell(element, "c-number");
  const time = cell(element, "c-time");
  const memory = cell(element, "c-memory");
  shown.textContent = pretty(number);
  return { element, pick, badge, link, why, time, memory, number };
}

const put = (node, text) => node.textContent === text || (node.textContent = text);

function paint(row, status) {
  put(row.badge, word(status));
  row.badge.dataset.state = group(status);
  put(row.link, name(status));
  row.pick.setAttribute("aria-label", `Select ${name(status)}`);
  put(row.why, explained(status));
  put(row.time, status.sessionData.lastConnected ? moment(status.sessionData.lastConnected) : "never");
  put(row.memory, status.memoryMb ? `${status.memoryMb} MB` : "");
}

export function show(status) {
  accounts.set(status.clientId, status);
  const there = rows.get(status.clientId);
  if (!there) {
    const row = build(status.clientId);
    rows.set(status.clientId, row);
    paint(row, status);
    at("rows").append(row.element);
    row.element.hidden = !matches(status);
    return;
  }
  paint(there, status);
}

export function drop(number) {
  accounts.delete(number);
  picked.delete(number);
  const row = rows.get(number);
  if (!row) return;
  const hadFocus = row.element.contains(document.activeElement);
  const next = row.element.nextElementSibling || row.element.previousElementSibling;
  row.element.remove();
  rows.delete(number);
  if (hadFocus) (next?.querySelector("a") || at("accounts-title")).focus();
  summarise();
}

export function fill(statuses) {
  const there = new Set(statuses.map((one) => one.clientId));
  const first = rows.size === 0;
  for (const number of [...accounts.keys()]) if (!there.has(number)) drop(number);
  for (const status of statuses) show(status);
  if (first) sort();
  summarise();
}

export function clear() {
  for (const row of rows.values()) row.element.remove();
  rows.clear();
  accounts.clear();
  picked.clear();
}

function matches(status) {
  const wanted = at("search").value.trim().toLowerCase();
  const digits = /^[\d\s+().-]+$/.test(wanted) ? wanted.replace(/\D/g, "") : "";
  if (shownGroup && group(status) !== shownGroup) return false;
  const text = `${status.label || ""} ${status.owner}`.toLowerCase();
  return !wanted || text.includes(wanted) || (digits && status.clientId.includes(digits));
}

export function sort() {
  const order = [...accounts.values()].sort(SORTS[at("sort").value]);
  const focused = document.activeElement;
  const body = at("rows");
  body.append(...order.map((status) => rows.get(status.clientId).element));
  for (const status of order) rows.get(status.clientId).element.hidden = !matches(status);
  if (body.contains(focused)) focused.focus();
  at("sort-again").disabled = true;
  summarise();
}

// Whether the order on the screen is still the one that was asked for.
function stale() {
  const compare = SORTS[at("sort").value];
  const shown = [...at("rows").children].map((one) => one.querySelector("a").hash.split("/")[1]);
  return shown.some((number, index) => index && compare(accounts.get(shown[index - 1]), accounts.get(number)) > 0);
}

export function summarise() {
  const all = [...accounts.values()];
  const counts = {};
  for (const one of all) counts[group(one)] = (counts[group(one)] || 0) + 1;
  for (const button of at("filters").children) {
    const of = button.dataset.group;
    put(button.lastElementChild, String(of ? counts[of] || 0 : all.length));
    button.setAttribute("aria-pressed", String(of === shownGroup));
  }
  put(at("summary"), all.length ? `${counts.ready || 0} of ${all.length} connected` : "");
  at("empty").hidden = all.length > 0;
  const visible = [...rows.values()].some((row) => !row.element.hidden);
  at("none").hidden = !all.length || visible;
  at("sort-again").disabled = !stale();
}

function tellPicked() {
  put(at("selected"), picked.size ? `${picked.size} selected` : "None selected");
  for (const button of document.querySelectorAll("[data-bulk]")) button.disabled = !picked.size;
  const shown = [...rows.values()].filter((row) => !row.element.hidden);
  at("pick-all").checked = shown.length > 0 && shown.every((row) => picked.has(row.number));
  at("pick-all").indeterminate = picked.size > 0 && !at("pick-all").checked;
}

export const selection = () => [...picked];
export const say = (text) => put(at("selected"), text);
export const rowLink = (number) => rows.get(number)?.link;

export function set_up() {
  for (const [value, text] of [["", "All"], ...GROUPS]) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.group = value;
    const count = document.createElement("span");
    count.className = "count";
    button.append(`${text} `, count);
    button.addEventListener("click", () => {
      shownGroup = value;
      sort();
    });
    at("filters").append(button);
  }
  at("search").addEventListener("input", sort);
  at("sort").addEventListener("change", sort);
  at("sort-again").addEventListener("click", () => {
    sort();
    at("sort").focus();
  });
  at("pick-all").addEventListener("change", () => {
    for (const row of rows.values()) {
      if (row.element.hidden) continue;
      row.pick.checked = at("pick-all").checked;
      row.pick.checked ? picked.add(row.number) : picked.delete(row.number);
    }
    tellPicked();
  });
}
