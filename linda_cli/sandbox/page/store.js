// The login as it lies on disk: seven databases and a few localStorage keys.
// Nothing here is cached, so that what the page knows is what Chromium would give back after a restart.

import { stored, stringify } from "./natives.js";

// The name that is known, then the one that a newer page gives it. The page itself takes whichever is there.
const WID = ["last-wid-md", "WAWebLastWidMd"];
const NOISE = ["WANoiseInfo", "WAWebNoiseInfo"];
const SANDBOX = "linda-sandbox";

const nameOf = (names) => names.find((name) => stored.get(name) !== null) ?? names[0];
const valueOf = (names) => stored.get(nameOf(names));

const DATABASES = {
  "signal-storage": "signal-meta-store",
  "model-storage": "message",
  wawc: "user",
  wawc_db_enc: "keys",
  "fts-storage": "search",
  "jobs-storage": "jobs",
  "offd-storage": "offd",
};
const LARGE = 192 * 1024; // above the 64 KiB from which Chromium puts a value in a file of its own
const CHATS = 300;

export class Unopenable extends Error {}

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function open(name, mayCreate) {
  return new Promise((resolve, reject) => {
    let absent = false;
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      if (mayCreate) return void request.result.createObjectStore(DATABASES[name]);
      // Looking must not leave an empty database behind, which would look like one that lost its content.
      absent = true;
      request.transaction.abort();
    };
    request.onerror = (event) => {
      event.preventDefault();
      if (absent) resolve(null);
      else reject(new Unopenable(name));
    };
    request.onsuccess = () => {
      const db = request.result;
      // Another tab of this profile may want to wipe it.
      db.onversionchange = () => db.close();
      resolve(db);
    };
  });
}

async function read(name, key) {
  const db = await open(name, false);
  if (!db) return undefined;
  try {
    return await settled(db.transaction(DATABASES[name]).objectStore(DATABASES[name]).get(key));
  } catch {
    return undefined; // a record that cannot be read is as good as none
  } finally {
    db.close();
  }
}

async function write(name, rows) {
  const db = await open(name, true);
  try {
    const work = db.transaction(DATABASES[name], "readwrite", { durability: "strict" });
    const store = work.objectStore(DATABASES[name]);
    for (const [key, value] of rows) store.put(value, key);
    await new Promise((resolve, reject) => {
      work.oncomplete = resolve;
      work.onabort = () => reject(work.error);
    });
  } finally {
    db.close();
  }
}

const bytes = (length) => {
  const filled = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(filled.subarray(at, at + 65536));
  return filled;
};
const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const hash = async (data) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
const encode = (text) => new TextEncoder().encode(text);

// The page's own test for "logged in".
export const hasKeys = () => valueOf(WID) !== null && valueOf(NOISE) !== null;

// Written long before any login, as the real page does. It matters: Chromium lets localStorage reach the disk soon
// after a first write, and then makes later writes wait.
export function writeEarly() {
  const early = { WALangPref: stringify(document.documentElement.lang), WAUnknownID: stringify(base64(bytes(16))), "system-theme-mode": "true" };
  for (const [key, value] of Object.entries(early)) {
    if (stored.get(key) === null) stored.set(key, value);
  }
}

// Everything a new device stores in IndexedDB; what the server is to know of it is returned.
export async function writeDatabases() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const identity = bytes(64);
  const chats = Array.from({ length: CHATS }, (_, at) => [
    `chat-${String(at).padStart(4, "0")}`,
    { at, body: base64(bytes(750)) },
  ]);
  await Promise.all([
    write("wawc_db_enc", [["1", { id: 1, key: pair.privateKey }]]),
    write("signal-storage", [
      ["identity", identity],
      ...Array.from({ length: 40 }, (_, at) => [`prekey-${at}`, bytes(64)]),
    ]),
    write("model-storage", [...chats, ["history", bytes(LARGE)]]),
    write("wawc", [["user", { linkedAt: Date.now() }]]),
    write("fts-storage", [["state", { done: false }]]),
    write("jobs-storage", [["job-1", { type: "history" }]]),
    write("offd-storage", [["state", { cleared: true }]]),
  ]);
  const noise = stringify({ privKey: base64(bytes(32)), pubKey: base64(bytes(32)), recoveryToken: base64(bytes(16)) });
  return {
    noiseInfo: noise,
    known: {
      key: base64(await crypto.subtle.exportKey("spki", pair.publicKey)),
      noise: await hash(encode(noise)),
      identity: await hash(identity),
    },
  };
}

export function writeKeys(wid, noiseInfo) {
  stored.set(SANDBOX, "1");
  stored.set(NOISE[0], noiseInfo);
  writeNumber(wid);
}

// The same device under another number, or for the first time: only the page's own name of it changes.
export function writeNumber(wid) {
  stored.set(nameOf(WID), stringify(wid));
}

export const account = () => {
  try {
    return String(JSON.parse(valueOf(WID)) ?? "");
  } catch {
    return "";
  }
};

const KINDS = { noise: [NOISE], wid: [WID], both: [NOISE, WID] };

// As a newer page does to what an older one wrote; `back` is the older one again.
export function renameKeys(which, back = false) {
  for (const names of KINDS[which]) {
    const value = valueOf(names);
    if (value === null) continue;
    stored.set(names[back ? 0 : 1], value);
    stored.remove(names[back ? 1 : 0]);
  }
}

// The login as found, or null when a part is missing or cannot be used. Throws Unopenable when the storage fails.
export async function readLogin() {
  const [record, identity] = await Promise.all([read("wawc_db_enc", "1"), read("signal-storage", "identity")]);
  let wid;
  try {
    wid = JSON.parse(valueOf(WID));
  } catch {
    return null;
  }
  const usable = record?.key instanceof CryptoKey && identity instanceof Uint8Array && typeof wid === "string";
  return usable ? { wid, key: record.key, identity, noiseInfo: valueOf(NOISE) } : null;
}

export async function prove(login, nonce) {
  const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, login.key, encode(nonce + login.wid));
  return {
    wid: login.wid,
    signature: base64(signed),
    noise: await hash(encode(login.noiseInfo)),
    identity: await hash(login.identity),
  };
}

export async function messages() {
  const db = await open("model-storage", false).catch(() => null);
  if (!db) return [];
  try {
    const range = IDBKeyRange.bound("message-", "message-\uffff");
    return await settled(db.transaction("message").objectStore("message").getAll(range));
  } catch {
    return [];
  } finally {
    db.close();
  }
}

export const addMessage = (message) => write("model-storage", [[`message-${message.id}`, message]]);

// What a sync writes: so many bytes under a key of its own.
export const addHistory = (at, length) => write("model-storage", [[`history-${at}`, bytes(length)]]);

export function clearKeys() {
  for (const key of [...WID, ...NOISE, SANDBOX]) stored.remove(key);
}

const remove = (name) =>
  new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = request.onerror = resolve;
  });

export const removeKeyDatabase = () => remove("wawc_db_enc");

// Both keys first: from that moment this is no login, whatever may be left.
export async function wipe() {
  clearKeys();
  await Promise.all(Object.keys(DATABASES).map(remove));
}
