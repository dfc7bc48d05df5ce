// One thing at a time: a deed that a later one has overtaken stops at its next step.

import { Lost, ask } from "./wire.js";

class Overtaken extends Error {}

let turn = 0;

export const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export function begin(deed) {
  const mine = ++turn;
  const still = (value) => {
    if (mine !== turn) throw new Overtaken();
    return value;
  };
  const here = {
    // Without a wait no timer is set: a page that is told to take no time takes none.
    pause: async (seconds) => still(seconds > 0 ? await sleep(seconds) : undefined),
    ask: async (what, body) => still(await ask(what, body)),
    after: async (promise) => still(await promise),
  };
  return deed(here).catch((error) => {
    if (!(error instanceof Overtaken) && !(error instanceof Lost)) throw error;
  });
}
