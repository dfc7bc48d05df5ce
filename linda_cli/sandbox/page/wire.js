// The page's one connection: an event stream down, questions up. When either fails, both are gone.

export class Lost extends Error {}

const page = crypto.randomUUID();
let stream = null;
let heard = {}; // event name -> what to do
let gone = () => {};

export let timing = {};

export const on = (event, does) => void (heard[event] = does);
export const onLost = (does) => void (gone = does);

function lose() {
  if (!stream) return;
  stream.close();
  stream = null;
  gone();
}

// Resolves once the server has said hello; rejects when it cannot be reached.
export function connect() {
  stream?.close();
  stream = null;
  return new Promise((resolve, reject) => {
    const opening = new EventSource(`/w/stream?page=${page}`);
    const isCurrent = () => stream === opening;
    opening.addEventListener("hello", (event) => {
      stream = opening;
      timing = JSON.parse(event.data).timing;
      resolve();
    });
    for (const name of Object.keys(heard)) {
      opening.addEventListener(name, (event) => isCurrent() && heard[name](JSON.parse(event.data)));
    }
    opening.onerror = () => {
      // EventSource would come back by itself, but when and how is for this page to decide.
      opening.close();
      if (isCurrent()) lose();
      else reject(new Lost());
    };
  });
}

export async function ask(what, body = {}) {
  try {
    const answer = await fetch(`/w/${what}?page=${page}`, { method: "POST", body: JSON.stringify(body) });
    if (answer.ok) return await answer.json();
  } catch {
    // falls through: no answer and a refusal to talk are the same to the page
  }
  lose();
  throw new Lost();
}
