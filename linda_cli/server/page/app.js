// The page: signs in, follows every account over one socket, and shows one screen at a time by the address's fragment.

import { Problem, get, post, token } from "./api.js";
import * as detail from "./detail.js";
import { Live } from "./live.js";
import * as settings from "./settings.js";
import * as table from "./table.js";

const at = (id) => document.getElementById(id);
const SCREENS = ["accounts", "account", "webhooks", "tokens", "about"];
let live = null;
let me = null;
let before = "";

// -- telling

function say(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

function failed(problem) {
  if (!problem) return say("");
  if (problem instanceof Problem && problem.status === 401) return signOut(problem.message);
  say(problem.hint && !/^(GET|POST|PATCH|DELETE) /.test(problem.hint) ? `${problem.message}: ${problem.hint}` : problem.message);
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

// Asks for a line of text; null where that is cancelled.
function ask(title, label, value) {
  at("ask-title").textContent = title;
  at("ask-label").textContent = label;
  at("ask-text").value = value;
  const dialog = at("ask");
  dialog.returnValue = "no";
  dialog.showModal();
  at("ask-text").focus();
  at("ask-text").select();
  return new Promise((resolve) => {
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue === "yes" ? at("ask-text").value : null);
  });
}

// -- screens

async function route() {
  if (!me) return;
  const [name, number] = location.hash.slice(1).split("/");
  const screen = SCREENS.includes(name) ? name : "accounts";
  for (const one of SCREENS) at(`screen-${one}`).hidden = one !== screen;
  for (const link of at("nav").children) {
    if (link.hash === `#${screen}` || (screen === "account" && link.hash === "#accounts")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  say("");
  const came = before;
  before = location.hash;
  if (screen !== "account") detail.close();
  try {
    if (screen === "account") {
      detail.open(number);
      at("account-title").focus();
      await follow(number);
    } else if (came.startsWith("#account/") && screen === "accounts") {
      table.sort();
      (table.rowLink(came.split("/")[1]) || at("accounts-title")).focus();
    } else if (came) at(`${screen}-title`).focus();
    if (screen === "webhooks") await settings.webhooks();
    if (screen === "tokens") settings.tokens(me);
    if (screen === "about") settings.about(me);
  } catch (problem) {
    failed(problem);
  }
}

// -- accounts

async function follow(number) {
  try {
    const status = await get(`session-status/${number}`);
    table.show(status);
    table.summarise();
    if (detail.current() === number) {
      await detail.show(status);
      // What is on its way out is not asked about any more.
      if (!status.removing) await detail.refresh();
    }
  } catch (problem) {
    if (problem.status === 404) gone(number);
    else failed(problem);
  }
}

function gone(number) {
  table.drop(number);
  if (detail.current() === number) {
    location.hash = "#accounts";
    say(`+${number} was removed.`);
  }
}

async function load() {
  const { accounts } = await get("accounts");
  performance.mark("linda-data");
  table.fill(accounts);
  // Painted once the frame after this one has begun: what the list costs can be read off in the browser.
  requestAnimationFrame(() => setTimeout(() => performance.mark("linda-painted")));
  if (detail.current()) await follow(detail.current());
}

// Several events in a moment ask once: for one account by its status, for many by the list.
const changed = new Set();
let timer = 0;
function heard(name, told) {
  if (!told?.session) return;
  if (name === "removed") return gone(told.session);
  if (name === "pairing_code" && detail.current() === told.session) detail.showPairingCode(told);
  changed.add(told.session);
  if (!timer) timer = setTimeout(catchUp, 150);
}

async function catchUp() {
  const numbers = [...changed];
  changed.clear();
  try {
    if (numbers.length > 3) await load();
    else for (const number of numbers) await follow(number);
  } catch (problem) {
    failed(problem);
  } finally {
    timer = changed.size ? setTimeout(catchUp, 150) : 0;
  }
}

async function bulk(what, button) {
  const numbers = table.selection();
  const path = { start: "start", stop: "stop", backup: "backup" }[what];
  const body = { start: { linkWith: null }, stop: undefined, backup: {} }[what];
  button.setAttribute("aria-busy", "true");
  say("");
  let done = 0;
  const problems = [];
  const waiting = [...numbers];
  const work = async () => {
    for (let number = waiting.shift(); number; number = waiting.shift()) {
      try {
        await post(`accounts/${number}/${path}`, body);
        done += 1;
      } catch (problem) {
        problems.push(`+${number}: ${problem.message}`);
      }
      table.say(`${button.textContent}: ${done} of ${numbers.length}`);
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  button.removeAttribute("aria-busy");
  if (problems.length) say(`${problems.length} of ${numbers.length} failed. ${problems.slice(0, 3).join(" ")}`);
  await load().catch(failed);
}

// -- signing in

// Which sign-in counts: the answer to an earlier one must not sign out a later one.
let signIns = 0;

async function signIn(current = ++signIns) {
  try {
    const answer = await get("me");
    if (current !== signIns) return;
    me = answer;
  } catch (problem) {
    if (current !== signIns) return;
    if (!(problem instanceof Problem) || problem.status !== 401) return failed(problem);
    return signOut(token.get() ? problem.message : "");
  }
  at("sign-in").hidden = true;
  at("nav").hidden = false;
  at("sign-out").hidden = !token.get();
  await load().catch(failed);
  await route();
  live?.close();
  live = new Live({
    heard,
    changed(on) {
      at("live").dataset.state = on ? "on" : "off";
      at("live").textContent = on ? "live" : "reconnecting";
    },
    joined: () => load().catch(failed),
    refused: (problem) => signOut(problem.detail),
    blocked,
  });
}

// Where the socket is refused and the page is not, it is mostly a proxy: the server knows what is missing.
async function blocked() {
  try {
    await post("sign-in", { link: "" });
  } catch (problem) {
    if (problem.status === 403 || problem.status === 400) failed(problem);
  }
}

function signOut(why) {
  token.set(null);
  live?.close();
  live = me = null;
  detail.close();
  table.clear();
  for (const one of SCREENS) at(`screen-${one}`).hidden = true;
  at("nav").hidden = at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  say(why);
  at("token").focus();
}

async function enter(text) {
  const current = ++signIns;
  const secret = text.includes("#sign-in=") ? text.split("#sign-in=")[1] : null;
  say("");
  try {
    const entered = secret ? (await post("sign-in", { link: secret })).token : text;
    if (current !== signIns) return;
    token.set(entered);
    await signIn(current);
  } catch (problem) {
    if (current === signIns) signOut(problem.message);
  }
}

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("token").value.trim();
  at("token").value = "";
  enter(text);
});
at("sign-out").addEventListener("click", () => signOut(""));
at("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  say("");
  try {
    const status = await post("accounts", { number: at("number").value });
    at("number").value = "";
    table.show(status);
    location.hash = `#account/${status.clientId}`;
  } catch (problem) {
    failed(problem);
  }
});
for (const button of document.querySelectorAll("[data-bulk]")) button.addEventListener("click", () => bulk(button.dataset.bulk, button));
table.set_up();
detail.set_up({ sure, failed, follow });
settings.set_up({ sure, ask, failed });
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#sign-in=")) return fromLink();
  route();
});

// The secret leaves the address at once: it must be in no history and in no picture of the screen.
function fromLink() {
  const link = location.hash;
  history.replaceState(null, "", location.pathname);
  return enter(link);
}
if (location.hash.startsWith("#sign-in=")) fromLink();
else signIn();
