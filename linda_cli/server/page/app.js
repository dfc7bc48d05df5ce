// The page: signs in, follows every account over one socket, and turns clicks into requests.

import { Card } from "./account.js";
import { Problem, get, post, remove, token } from "./rest.js";
import { Socket } from "./socket.js";

const at = (id) => document.getElementById(id);
const cards = new Map();
let socket = null;

const ASKS = {
  start: (card) => post(`accounts/${card.number}/start`, { linkWith: null }),
  link: (card) => post(`accounts/${card.number}/start`, { linkWith: "qr" }),
  pair: (card) => post(`accounts/${card.number}/pairing-code`),
  stop: (card) => post(`accounts/${card.number}/stop`),
  backup: (card) => post(`accounts/${card.number}/backup`, {}),
  restore: (card, backup) => post(`accounts/${card.number}/restore`, { backup: backup.name }),
  clear: (card) => remove(`accounts/${card.number}`),
};
const SURE = {
  clear: (card) => ["Remove the account?", `+${card.number} is signed out here, backed up and put aside. Linking it again needs the phone.`, "Remove"],
  restore: (card, backup) => ["Restore this backup?", `The present login of +${card.number} is put aside, ${backup.name} takes its place, and the account comes up again.`, "Restore"],
};

async function act(what, card, button, detail) {
  if (button.getAttribute("aria-busy") === "true") return;
  if (SURE[what] && !(await sure(...SURE[what](card, detail)))) return;
  button.setAttribute("aria-busy", "true");
  say("");
  // What is cleared goes when the server says that it is gone; until then there is nothing more to ask about it.
  card.leaving = what === "clear";
  try {
    const told = await ASKS[what](card, detail);
    if (what === "pair") card.showPairingCode(told);
    if (!card.leaving) await follow(card);
  } catch (problem) {
    card.leaving = false;
    failed(problem);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function sure(title, text, yes) {
  at("sure-title").textContent = title;
  at("sure-text").textContent = text;
  at("sure-yes").textContent = yes;
  const dialog = at("sure");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    // The event comes a moment after the closing: by then somebody quick may have opened it for another question.
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue === "yes");
  });
}

function say(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

function failed(problem) {
  if (problem instanceof Problem && problem.status === 401) return signOut(problem.message);
  say(problem.hint ? `${problem.message}. Try: ${problem.hint}` : problem.message);
}

function card(number) {
  if (!cards.has(number)) {
    const made = new Card(number, act, failed);
    cards.set(number, made);
    const after = [...cards.keys()].sort().indexOf(number);
    at("list").insertBefore(made.element, at("list").children[after] || null);
  }
  return cards.get(number);
}

function forget(gone) {
  if (cards.get(gone.number) !== gone) return;
  clearTimeout(waiting.get(gone.number));
  gone.hideCode();
  gone.element.remove();
  cards.delete(gone.number);
  summarise();
  at("accounts").focus();
}

function summarise() {
  const all = [...cards.values()];
  const ready = all.filter((one) => one.status?.isReady).length;
  at("summary").textContent = all.length ? `${ready} of ${all.length} accounts ready` : "WhatsApp sessions";
  at("empty").hidden = all.length > 0;
}

async function follow(one) {
  one.show(await get(`session-status/${one.number}`));
  if (one.status.code === "qr") await one.showQr().catch(() => one.hideCode());
  summarise();
  await one.refresh();
}

// Several events of one account in a moment ask once.
const waiting = new Map();
function heard(name, told) {
  if (!told?.session) return;
  if (name === "removed") return cards.has(told.session) && forget(cards.get(told.session));
  const one = card(told.session);
  if (one.leaving) return;
  if (name === "pairing_code") one.showPairingCode(told);
  clearTimeout(waiting.get(one.number));
  const ask = () => follow(one).catch((problem) => (problem.status === 404 ? forget(one) : failed(problem)));
  waiting.set(one.number, setTimeout(ask, name === "qr" ? 0 : 50));
}

async function load() {
  const { accounts } = await get("accounts");
  const there = new Set(accounts.map((one) => one.clientId));
  for (const gone of [...cards.values()].filter((one) => !there.has(one.number))) forget(gone);
  for (const status of accounts) {
    const one = card(status.clientId);
    one.show(status);
    if (status.code === "qr") one.showQr().catch(() => one.hideCode());
    one.refresh().catch(failed);
  }
  summarise();
}

async function signIn() {
  try {
    await load();
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 401) return failed(problem);
    return signOut(token.get() ? problem.message : "");
  }
  at("sign-in").hidden = true;
  at("signed-in").hidden = false;
  at("sign-out").hidden = !token.get();
  socket?.close();
  socket = new Socket("/whatsapp", {
    heard,
    changed(on) {
      at("live").dataset.state = on ? "on" : "off";
      at("live").textContent = on ? "live" : "reconnecting";
    },
    async joined() {
      const told = await socket.ask("init", { token: token.get() });
      if (told.problem) signOut(told.problem.detail);
      else await load().catch(failed);
    },
  });
}

function signOut(why) {
  token.set(null);
  socket?.close();
  socket = null;
  for (const one of cards.values()) one.element.remove();
  cards.clear();
  at("signed-in").hidden = at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  say(why);
  at("token").focus();
}

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(at("token").value.trim());
  at("token").value = "";
  say("");
  signIn();
});
at("sign-out").addEventListener("click", () => signOut(""));
at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  say("");
  try {
    const status = await post("accounts", { number: at("number").value });
    at("number").value = "";
    const one = card(status.clientId);
    one.show(status);
    summarise();
    one.element.querySelector("button:not([hidden])").focus();
  } catch (problem) {
    failed(problem);
  }
});
signIn();
