// One window of a browser uses the login at a time; a newer one takes over without asking. Local to the browser: the
// server has no part in it, so the socket of the window that lost it was never launched, or is opening.

let turn = 0;

// Resolves once this window has it. `lost` is called when another window takes it away.
export function take(lost) {
  const mine = ++turn;
  return new Promise((resolve) => {
    navigator.locks
      .request("WAWebAppMutex", { steal: true }, () => {
        resolve();
        return new Promise(() => {}); // held until the document ends
      })
      .catch(() => {
        // Taken by this very window, which only logs in again, is no loss.
        if (mine === turn) lost();
      });
  });
}
