// The screens beside the accounts: webhooks, tokens, and what this server is.

import { get, patch, post, remove } from "./api.js";
import { moment } from "./words.js";

const at = (id) => document.getElementById(id);
let failed = () => {};
let sure = async () => false;
let ask = async () => null;

const names = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

export function set_up(tools) {
  ({ failed, sure, ask } = tools);
  at("add-webhook").addEventListener("submit", (event) => act(event, async () => {
    const made = await post("webhooks", { url: at("webhook-url").value.trim(), events: names(at("webhook-events").value) });
    at("webhook-url").value = at("webhook-events").value = "";
    at("webhook-secret").textContent = `Its secret, which signs every delivery and is not shown again: ${made.secret}`;
    at("webhook-secret").hidden = false;
    await webhooks();
    at("webhook-url").focus();
  }));
  at("add-token").addEventListener("submit", (event) => act(event, async () => {
    const number = at("token-number").value.trim();
    const made = await post("tokens", {
      owner: at("token-owner").value.trim(), number: number || null, readOnly: at("token-read").checked,
      expiresIn: Number(at("token-days").value) * 86400,
    });
    at("token-text").value = made.token;
    at("token-id").textContent = `Its id, to revoke it: ${made.id}. It expires ${moment(made.expiresAt)}.`;
    at("token-made").hidden = false;
    at("token-text").focus();
    at("token-text").select();
  }));
  at("revoke-token").addEventListener("submit", (event) => act(event, async () => {
    await remove(`tokens/${encodeURIComponent(at("revoke-id").value.trim())}`);
    at("revoke-id").value = "";
    failed({ message: "Revoked." });
  }));
}

async function act(event, what) {
  event.preventDefault();
  failed(null);
  await what().catch(failed);
}

export async function webhooks() {
  const { webhooks: all } = await get("webhooks");
  const list = at("webhooks");
  const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  list.replaceChildren(...all.map(row));
  if (focused) (list.querySelector(`[aria-label="${CSS.escape(focused)}"]`) || at("webhooks-title")).focus();
  at("webhooks-empty").hidden = all.length > 0;
}

function row(hook) {
  const made = document.createElement("li");
  const text = document.createElement("span");
  const state = hook.failingSince ? `fails since ${moment(hook.failingSince)}: ${hook.lastStatus}`
    : hook.lastStatus ? `last answer ${hook.lastStatus}` : "nothing sent yet";
  const more = [hook.waiting && `${hook.waiting} waiting`, hook.dropped && `${hook.dropped} dropped`].filter(Boolean);
  text.textContent = [`${hook.url} (${hook.events.join(", ") || "all events"})`, state, ...more].join(", ");
  const buttons = document.createElement("span");
  const button = (label, what) => {
    const one = document.createElement("button");
    one.type = "button";
    one.className = "quiet";
    one.textContent = label;
    one.setAttribute("aria-label", `${label} ${hook.url}`);
    one.addEventListener("click", (event) => act(event, what));
    buttons.append(one);
  };
  button("Test", async () => {
    const told = await post(`webhooks/${hook.id}/test`);
    failed({ message: told.delivered ? `Delivered: answered ${told.status}.` : `Not delivered: ${told.problem}.` });
  });
  button("Change events", async () => {
    const wanted = await ask(`Events for ${hook.url}`, "Events, with a comma between; empty for all", hook.events.join(", "));
    if (wanted !== null) await patch(`webhooks/${hook.id}`, { events: names(wanted) }).then(webhooks);
  });
  button("Remove", async () => {
    if (!(await sure("Remove this webhook?", hook.url, "Remove"))) return;
    await remove(`webhooks/${hook.id}`);
    await webhooks();
    at("webhooks-title").focus();
  });
  made.append(text, buttons);
  return made;
}

export function tokens(me) {
  if (!at("token-owner").value) at("token-owner").value = me.owner;
  at("token-owner").readOnly = me.role !== "admin";
  for (const control of at("add-token").elements) control.disabled = !me.needsToken || me.readOnly;
  for (const control of at("revoke-token").elements) control.disabled = !me.needsToken || me.readOnly;
  if (!me.needsToken) failed({ message: "This server uses no tokens: it has no JWT_SECRET." });
}

export function about(me) {
  const facts = [
    ["linda", me.linda],
    ["You", me.role === "admin" ? `${me.owner}, an admin` : me.owner],
    ["Access", me.readOnly ? "read only" : me.number ? `+${me.number} only` : "full"],
    ["Signed in until", me.expiresAt ? moment(me.expiresAt) : "you close the server"],
  ];
  at("about").replaceChildren(...facts.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}
