// The page's one connection: an event stream down, questions up. When either fails, both are gone.

import { stringify } from "./natives.js";

export class Lost extends Error {}

const page = crypto.randomUUID();
let stream = null;
let keeping = 0;
let heard = {}; // event name -> what to do
let gone = () => {};

export let timing = {};

export const on = (event, does) => void (heard[event] = does);
export const onLost = (does) => void (gone = does);

function lose() {
  if (!stream) return;
  stream.close();
  stream = null;
  clearInterval(keeping);
  gone();
}

// Resolves with what the server said in its hello; rejects when it cannot be reached or stays silent.
export function connect() {
  stream?.close();
  stream = null;
  clearInterval(keeping);
  return new Promise((resolve, reject) => {
    const opening = new EventSource(`/w/stream?page=${page}`);
    const isCurrent = () => stream === opening;
    const patience = setTimeout(() => opening.onerror(), 1000 * (timing.silence ?? 32));
    opening.addEventListener("hello", (event) => {
      clearTimeout(patience);
      stream = opening;
      const hello = JSON.parse(event.data);
      timing = hello.timing;
      // Where packets are dropped in silence nothing fails by itself: only a question without an answer tells.
      if (timing.keepalive > 0) keeping = setInterval(() => ask("ping").catch(() => {}), 1000 * timing.keepalive);
      resolve(hello);
    });
    for (const name of Object.keys(heard)) {
      opening.addEventListener(name, (event) => isCurrent() && heard[name](JSON.parse(event.data)));
    }
    opening.onerror = () => {
      clearTimeout(patience);
      // EventSource would come back by itself, but when and how is for this page to decide.
      opening.close();
      if (isCurrent()) lose();
      else reject(new Lost());
    };
  });
}

export async function ask(what, body = {}) {
  const asking = stream;
  try {
    const answer = await fetch(`/w/${what}?page=${page}`, {
      method: "POST",
      body: stringify(body),
      signal: AbortSignal.timeout(1000 * (timing.silence ?? 32)),
    });
    if (answer.ok) return await answer.json();
  } catch {
    // falls through: no answer and a refusal to talk are the same to the page
  }
  // A question of a connection that is gone says nothing of the one that came after it.
  if (asking === stream) lose();
  throw new Lost();
}
