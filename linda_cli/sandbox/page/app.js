// The walk through the states of docs/whatsapp-web.md.

import { begin, sleep } from "./deeds.js";
import { closeAll, dialog, popup } from "./dialogs.js";
import * as mutex from "./mutex.js";
import { breakPage, define, settings } from "./natives.js";
import * as screens from "./screens.js";
import * as store from "./store.js";
import * as wire from "./wire.js";
import { say, speak } from "./words.js";

const Socket = { state: "OPENING", logout: () => begin(logOut), takeover: () => begin(useHere) };
const Stream = { mode: store.hasKeys() ? "MAIN" : "QR" };
const previous = new URLSearchParams(location.search).get("logout_reason");

// The words the real page knows for its socket; a block of another kind shows in the stream's mode alone.
const SOCKET_BLOCKS = ["TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK", "DEPRECATED_VERSION"];
// Screens that are neither a mode nor a state of the socket. Those in the second list are shown without logging in.
const SCREENS = ["app-lock", "call-takeover", "unsupported-takeover", "unknown", "temporary-ban", "service-unavailable"];
const SCREENS_BEFORE_LOGIN = ["temporary-ban", "service-unavailable"];
// What comes back to the server after an outage, but to nothing else.
const PARKED = ["CONFLICT", "window", "blocked"];
const RETRY = 0.5;

let screen = "loading";
let chats = []; // the messages on the pane
let ordered = {}; // number, or "all" -> the screen that the phone has ordered

function now(state, mode = Stream.mode, shown = screen) {
  Socket.state = state;
  Stream.mode = mode;
  screen = shown;
  // Only told, never waited for: what the server shows in its status changes nothing here.
  wire.ask("state", { state, mode, screen }).catch(() => {});
}

function defineModules() {
  define("WAWebSocketModel", { Socket });
  define("WAWebStreamModel", { Stream });
  define("WAWebLogoutReason", { getPrevLogoutReasonCode: () => previous });
}

// ---- starting

async function start(here) {
  await here.pause(settings.boot);
  if (settings.shell) return; // its scripts could not be loaded: the shell is all there will ever be
  defineModules();
  if (settings.clean_address) history.replaceState({}, "", location.pathname);
  await reach(here);
  if (settings.code > 0 && store.hasKeys()) await showCodeFirst(here);
  await resume(here);
}

// A page that shows a code for a moment although it is linked, and then thinks better of it.
async function showCodeFirst(here) {
  if (settings.hide_keys) store.renameKeys("both");
  now("UNPAIRED", "QR", "linking");
  screens.linking(byNumber);
  const { text, modules } = await here.ask("code", { again: true });
  if (text) screens.code(text, modules);
  now("UNPAIRED", "QR", "qr");
  await here.pause(settings.code);
  await here.ask("forget-code");
  if (settings.hide_keys) store.renameKeys("both", true);
  screen = "loading";
}

async function reach(here) {
  for (;;) {
    Socket.state = "OPENING";
    try {
      const hello = await here.after(wire.connect());
      ordered = hello.screens;
      speak(hello.language);
      return;
    } catch (error) {
      if (!(error instanceof wire.Lost)) throw error;
      Socket.state = "TIMEOUT";
      await here.pause(RETRY);
    }
  }
}

const orderedScreen = () => ordered[store.account().split(":")[0]] ?? ordered.all;

async function resume(here) {
  const wanted = orderedScreen();
  if (!store.hasKeys()) {
    // Half a login is none, and nobody could use the databases of one.
    await here.after(store.wipe());
    return wanted ? showScreen(wanted) : unpaired(here);
  }
  let login;
  try {
    login = await here.after(store.readLogin());
  } catch (error) {
    if (error instanceof store.Unopenable) return fatal(here);
    throw error;
  }
  if (!login) return rejected(here);
  if (SCREENS_BEFORE_LOGIN.includes(wanted)) return showScreen(wanted);
  if (screen !== "pane") {
    now("OPENING", "MAIN", "loading");
    screens.loading();
    await here.pause(wire.timing.page_delay);
    if (!wanted && !(wire.timing.resync > 0)) {
      await drawPane(here);
      // Drawn from local data: nothing is known yet of what the server thinks of this login.
      now("OPENING", "MAIN", "pane");
    }
  }
  if (!(await logIn(here, login))) return;
  if (wanted) return showScreen(wanted);
  if (screen !== "pane") {
    await sync(here, wire.timing.resync);
    await drawPane(here);
  }
  now("CONNECTED", "MAIN", "pane");
}

async function drawPane(here) {
  chats = await here.after(store.messages());
  screens.pane(chats);
}

// Whether the server has accepted it; where it has not, the page shows why by then.
async function logIn(here, login) {
  await here.after(mutex.take(takenByWindow));
  const { nonce } = await here.ask("nonce");
  const { verdict, kind, wid, ...logout } = await here.ask("login", await here.after(store.prove(login, nonce)));
  screens.offline(false);
  if (verdict === "accepted") {
    if (wid) store.writeNumber(wid);
    return true;
  }
  if (verdict === "removed") await loggedOut(logout);
  else if (verdict === "refused") await unpaired(here);
  else if (verdict === "blocked") await blocked(kind);
  else await rejected(here);
  return false;
}

async function rejected(here) {
  await here.after(store.wipe());
  return unpaired(here);
}

// ---- linking

async function unpaired(here) {
  now("PAIRING", "QR", "linking");
  screens.linking(byNumber);
  store.writeEarly();
  await here.pause(wire.timing.qr_delay);
  return showCodes(here, false);
}

async function showCodes(here, again) {
  for (;;) {
    const { text, modules, seconds, idle, blocked: kind } = await here.ask("code", { again });
    if (kind) return blocked(kind);
    if (idle) {
      screens.idle(() => begin((next) => showCodes(next, true)));
      return now("UNPAIRED_IDLE", "QR", "idle");
    }
    screens.code(text, modules);
    now("UNPAIRED", "QR", "qr");
    again = false;
    await here.pause(seconds);
  }
}

function byNumber(number = "") {
  const submitted = (typed) => begin((here) => showPairingCode(here, typed));
  begin(async () => {
    now("UNPAIRED", "QR", "number");
    screens.phoneNumber(number, submitted, () => begin(unpaired));
  });
}

async function showPairingCode(here, number) {
  const { code, seconds, wrong } = await here.ask("pairing-code", { number });
  if (wrong) return screens.wrongNumber();
  screens.pairingCode(code);
  now("UNPAIRED", "QR", "pairing code");
  await here.pause(seconds);
  return byNumber(number);
}

async function link(here) {
  now("PAIRING", "QR", "loading");
  screens.loading();
  // Keys of a login that was refused go now: it is being replaced.
  store.clearKeys();
  const { known, noiseInfo } = await here.after(store.writeDatabases());
  const { wid } = await here.ask("register", known);
  store.writeKeys(wid, noiseInfo);
  now("OPENING", wire.timing.sync > 0 ? "SYNCING" : "MAIN", "loading");
  const login = await here.after(store.readLogin());
  if (!login) return rejected(here);
  if (!(await logIn(here, login))) return;
  await sync(here, wire.timing.sync);
  await drawPane(here);
  now("CONNECTED", "MAIN", "pane");
}

// Connected, no pane yet, and a percentage that moves, or that stands still while bytes reach the disk.
async function sync(here, seconds) {
  if (!(seconds > 0)) return;
  now("CONNECTED", "SYNCING", "syncing");
  const steps = Math.min(100, Math.max(20, Math.ceil(seconds)));
  for (let step = 0; step <= steps; step++) {
    screens.syncing(Math.min(wire.timing.sync_stall, Math.round((100 * step) / steps)));
    const kilobytes = Math.round((wire.timing.sync_kilobytes * seconds) / (steps + 1));
    if (kilobytes > 0) await here.after(store.addHistory(step, 1024 * kilobytes));
    await here.pause(seconds / (steps + 1));
  }
}

// ---- what may happen to a page

async function lost(here) {
  if (PARKED.includes(screen) || SCREENS.includes(screen)) return reconnectOnly(here);
  await here.pause(wire.timing.notice);
  screens.offline(screen === "pane");
  await reach(here);
  await here.pause(wire.timing.recover);
  await resume(here);
  screens.offline(false);
}

async function reconnectOnly(here) {
  const { state } = Socket;
  await reach(here);
  now(state);
}

// Nothing overtakes a logout: from its first moment both keys are gone.
async function loggedOut({ reason, address = true }) {
  store.clearKeys();
  closeAll();
  if (wire.timing.logout > 0) {
    screens.loggingOut();
    now("OPENING", "MAIN", "logging out");
  }
  await store.wipe();
  if (wire.timing.logout > 0) await sleep(wire.timing.logout);
  if (!address) {
    begin(unpaired);
    return;
  }
  location.replace(reason === null || reason === undefined ? "/?post_logout=1" : `/?post_logout=1&logout_reason=${reason}`);
  await new Promise(() => {}); // nothing more happens in this document
}

// The page's own way out: of its menu, of a popup, and of whoever calls Socket.logout().
async function logOut(here) {
  await here.ask("logout");
  return loggedOut({ reason: null });
}

// The page could not open its storage. The device stays linked: the server is not told.
async function fatal() {
  store.clearKeys();
  await store.removeKeyDatabase();
  location.replace("/?post_logout=1&logout_reason=0");
  return new Promise(() => {});
}

const pressed = (kind, button) => void wire.ask("pressed", { dialog: kind, button }).catch(() => {});

// Another computer or browser: the socket says so. The pane may still be there behind the popup.
async function takenByComputer(here, pane) {
  if (screen === "window") return;
  closeAll();
  if (!pane) screens.blank();
  popup(
    say("computer"),
    [say("useHere"), () => (pressed("computer", "ok"), begin(useHere))],
    [say("logOut"), () => (pressed("computer", "cancel"), begin(logOut))],
  );
  now("CONFLICT", "CONFLICT", "CONFLICT");
}

// Another window of this browser: local, so the socket's word is that it was never launched, or is opening.
async function showWindow(state) {
  closeAll();
  screens.blank();
  popup(
    say("window"),
    [say("useHere"), () => (pressed("window", "ok"), begin(useHere))],
    [say("close"), () => pressed("window", "cancel")],
  );
  now(state, "MAIN", "window");
}

function takenByWindow() {
  wire.ask("release").catch(() => {});
  begin(() => showWindow("UNLAUNCHED"));
}

async function useHere(here) {
  closeAll();
  screen = "loading";
  await resume(here);
}

async function blocked(kind) {
  screens.blocked(kind);
  now(SOCKET_BLOCKS.includes(kind) ? kind : "OPENING", kind, "blocked");
}

function showScreen(name) {
  closeAll();
  const button = (label, place, action = () => {}) => [say(label), () => (pressed(name, place), action())];
  const draws = {
    "app-lock": screens.locked,
    unknown: screens.unknown,
    "service-unavailable": screens.unavailable,
    "temporary-ban": () => over("ban", button("learnMore", "ok"), button("logOut", "cancel", () => begin(logOut))),
    "call-takeover": () => over("call", button("notify", "ok"), button("close", "cancel")),
    "unsupported-takeover": () => over("tabs", button("refresh", "ok", () => location.reload()), null),
  };
  const over = (words, ok, cancel) => {
    screens.blank();
    popup(say(words), ok, cancel);
  };
  draws[name]();
  if (name === "unknown") for (const module of ["WAWebSocketModel", "WAWebStreamModel"]) define(module, undefined);
  const connected = !SCREENS_BEFORE_LOGIN.includes(name) && store.hasKeys();
  now(connected ? "CONNECTED" : "OPENING", "MAIN", name);
}

wire.onLost(() => begin(lost));
wire.on("pair", () => begin(link));
wire.on("passkey", () =>
  begin(async () => {
    screens.passkey();
    now("PAIRING", "QR", "passkey");
  }),
);
wire.on("refused", () => begin(unpaired));
wire.on("conflict", ({ where, pane, state }) =>
  begin((here) => (where === "computer" ? takenByComputer(here, pane) : showWindow(state))),
);
wire.on("logout", (told) => begin(() => loggedOut(told)));
wire.on("break", () => begin(fatal));
wire.on("block", ({ kind }) => begin(() => blocked(kind)));
wire.on("screens", (told) => {
  const before = orderedScreen();
  ordered = told;
  if (orderedScreen() === before) return;
  closeAll();
  defineModules(); // an unknown page had taken them away
  screen = "loading";
  begin(resume);
});
wire.on("language", ({ language }) => speak(language));
wire.on("reload", () => location.reload());
wire.on("rename-keys", ({ which, back }) => store.renameKeys(which, back));
wire.on("number", ({ wid }) => store.writeNumber(wid));
wire.on("break-page", ({ broken }) => breakPage(broken));
wire.on("dialog", ({ kind, text }) => {
  closeAll();
  if (kind === null) return;
  dialog(kind, text, {
    pressed,
    logOut: () => begin(logOut),
    deleteChat: () => screens.pane((chats = [])),
    reload: () => location.reload(),
  });
});
wire.on("message", async (message) => {
  await store.addMessage(message);
  if (!chats.some((known) => known.id === message.id)) {
    chats.push(message);
    screens.addMessage(message);
  }
  wire.ask("receipt", { id: message.id }).catch(() => {});
});

begin(start);
