// A linking link: one number's code and its success, for somebody who has no token. Used or expired says so, and no more.

import { picture, post } from "./api.js";

const at = (id) => document.getElementById(id);
const KEPT = "linda-linking";
let session = null;
let shown = "";

function say(text) {
  if (at("words").textContent !== text) at("words").textContent = text;
}

function hide() {
  at("code").hidden = at("qr").hidden = at("pairing-code").hidden = at("begin").hidden = at("pair").hidden = true;
}

async function open() {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  try {
    if (secret) {
      session = (await post("link", { link: secret })).token;
      sessionStorage.setItem(KEPT, session);
    } else session = sessionStorage.getItem(KEPT);
    if (!session) return over();
    await begin();
  } catch (problem) {
    over(problem);
  }
}

function over(problem) {
  hide();
  sessionStorage.removeItem(KEPT);
  say(problem && problem.status !== 401 ? problem.message : "This link was used or has expired.");
}

async function begin() {
  at("begin").hidden = true;
  say("One moment, the code is on its way.");
  show(await post("link/start", { link: session }));
  follow();
}

async function follow() {
  try {
    for (;;) {
      const state = await post("link/state", { link: session });
      await show(state);
      if (state.state === "linked" || state.state === "failed") return;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } catch (problem) {
    over(problem);
  }
}

async function show({ clientId, state, code, pairingCode, expiresIn, problem }) {
  at("title").textContent = `Link +${clientId}`;
  if (state === "linked") {
    hide();
    sessionStorage.removeItem(KEPT);
    return say("Done. WhatsApp is linked. You can close this page.");
  }
  if (state === "failed") {
    hide();
    at("begin").hidden = false;
    return say(problem ? `It did not work: ${problem}.` : "The code is not shown any more.");
  }
  if (state !== "code") return;
  at("code").hidden = false;
  at("pair").hidden = code === "pairing_code";
  if (code === "pairing_code") {
    at("qr").hidden = true;
    at("pairing-code").hidden = false;
    at("pairing-code").textContent = pairingCode;
    return say("On the phone open WhatsApp, Linked devices, Link with phone number, and type this code.");
  }
  say("On the phone open WhatsApp, Linked devices, Link a device, and scan this code.");
  at("left").textContent = `A new code comes in ${expiresIn} s.`;
  const { url } = await picture("link/qr.png", { link: session });
  const image = at("qr").querySelector("img");
  if (shown) URL.revokeObjectURL(shown);
  shown = image.src = url;
  image.alt = `QR code to link +${clientId}`;
  at("qr").hidden = false;
}

at("begin").addEventListener("click", () => begin().catch(over));
at("pair").addEventListener("click", async () => {
  at("pair").setAttribute("aria-busy", "true");
  await post("link/pairing-code", { link: session }).catch(over);
  at("pair").removeAttribute("aria-busy");
});
open();
