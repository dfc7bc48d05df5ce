// The walk through the states of docs/whatsapp-web.md.

import { begin } from "./deeds.js";
import * as screens from "./screens.js";
import * as store from "./store.js";
import * as wire from "./wire.js";

const Socket = { state: "OPENING" };
const Stream = { mode: store.hasKeys() ? "MAIN" : "QR" };
window.__define("WAWebSocketModel", { Socket });
window.__define("WAWebStreamModel", { Stream });
delete window.__define;

// The words the real page knows for its socket; a block of another kind shows in the stream's mode alone.
const SOCKET_BLOCKS = ["TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK", "DEPRECATED_VERSION"];
const RETRY = 0.5;
const PERCENT_STEPS = 20;

let screen = "loading";
let chats = []; // the messages on the pane

function now(state, mode = Stream.mode, shown = screen) {
  Socket.state = state;
  Stream.mode = mode;
  screen = shown;
  // Only told, never waited for: what the server shows in its status changes nothing here.
  wire.ask("state", { state, mode, screen }).catch(() => {});
}

// ---- starting

async function start(here) {
  await reach(here);
  await resume(here);
}

async function reach(here) {
  for (;;) {
    Socket.state = "OPENING";
    try {
      return await here.after(wire.connect());
    } catch (error) {
      if (!(error instanceof wire.Lost)) throw error;
      Socket.state = "TIMEOUT";
      await here.pause(RETRY);
    }
  }
}

async function resume(here) {
  if (!store.hasKeys()) {
    // Half a login is none, and nobody could use the databases of one.
    await here.after(store.wipe());
    return unpaired(here);
  }
  let login;
  try {
    login = await here.after(store.readLogin());
  } catch (error) {
    if (error instanceof store.Unopenable) return fatal(here);
    throw error;
  }
  if (!login) return rejected(here);
  if (screen !== "pane") {
    now("OPENING", "MAIN", "loading");
    screens.loading();
    await here.pause(wire.timing.page_delay);
    await drawPane(here);
    // Drawn from local data: nothing is known yet of what the server thinks of this login.
    now("OPENING", "MAIN", "pane");
  }
  return logIn(here, login);
}

async function drawPane(here) {
  chats = await here.after(store.messages());
  screens.pane(chats);
}

async function logIn(here, login) {
  const { nonce } = await here.ask("nonce");
  const { verdict, reason, kind } = await here.ask("login", await here.after(store.prove(login, nonce)));
  if (verdict === "accepted") {
    screens.offline(false);
    return now("CONNECTED", "MAIN", screen);
  }
  screens.offline(false);
  if (verdict === "removed") return loggedOut(reason);
  if (verdict === "refused") return unpaired(here);
  if (verdict === "blocked") return blocked(kind);
  return rejected(here);
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
  await logIn(here, login);
  if (Socket.state !== "CONNECTED") return;
  await firstSync(here);
  await drawPane(here);
  now("CONNECTED", "MAIN", "pane");
}

async function firstSync(here) {
  const whole = wire.timing.sync;
  if (!(whole > 0)) return;
  now("CONNECTED", "SYNCING", "syncing");
  for (let step = 0; step <= PERCENT_STEPS; step++) {
    screens.syncing(Math.round((100 * step) / PERCENT_STEPS));
    await here.pause(whole / (PERCENT_STEPS + 1));
  }
}

// ---- what may happen to a page

async function lost(here) {
  if (["CONFLICT", "blocked"].includes(screen)) return reconnectOnly(here);
  await here.pause(wire.timing.notice);
  screens.offline(screen === "pane");
  await reach(here);
  await here.pause(wire.timing.recover);
  await resume(here);
  screens.offline(false);
}

// A page that is not in use comes back to the server, but to nothing else.
async function reconnectOnly(here) {
  const { state } = Socket;
  await reach(here);
  now(state);
}

function loggedOut(reason) {
  return leave(reason === null || reason === undefined ? "/?post_logout=1" : `/?post_logout=1&logout_reason=${reason}`);
}

async function leave(address) {
  await store.wipe();
  location.replace(address);
  return new Promise(() => {}); // nothing more happens in this document
}

// The page could not open its storage. The device stays linked: the server is not told.
async function fatal() {
  store.clearKeys();
  await store.removeKeyDatabase();
  location.replace("/?post_logout=1&logout_reason=0");
  return new Promise(() => {});
}

async function elsewhere(here, where) {
  screens.elsewhere(
    where,
    () => begin(useHere),
    () => begin(where === "computer" ? cancel : async () => screens.blank()),
  );
  now("CONFLICT", "CONFLICT", "CONFLICT");
}

async function useHere(here) {
  screen = "loading";
  await resume(here);
}

async function cancel(here) {
  await here.ask("logout");
  return loggedOut(null);
}

async function blocked(kind) {
  screens.blocked(kind);
  now(SOCKET_BLOCKS.includes(kind) ? kind : "OPENING", kind, "blocked");
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
wire.on("conflict", ({ where }) => begin((here) => elsewhere(here, where)));
wire.on("logout", ({ reason }) => begin(() => loggedOut(reason)));
wire.on("break", () => begin(fatal));
wire.on("block", ({ kind }) => begin(() => blocked(kind)));
wire.on("message", async (message) => {
  await store.addMessage(message);
  if (!chats.some((known) => known.id === message.id)) {
    chats.push(message);
    screens.addMessage(message);
  }
  wire.ask("receipt", { id: message.id }).catch(() => {});
});

begin(start);
