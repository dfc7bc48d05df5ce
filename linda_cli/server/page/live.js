// The socket: says who we are, and passes every event on. The published client falls back to long polling where a
// proxy lets no WebSocket through.

import { io } from "./vendor/socket.io.esm.min.js";
import { ROOT, token } from "./api.js";

export class Live {
  // `heard(name, payload)`; `changed(on)`; `joined()` after each connection; `refused(problem)` for a token that is none.
  constructor({ heard, changed, joined, refused, blocked }) {
    this.socket = io(`${ROOT.origin}/whatsapp`, { path: `${ROOT.pathname}socket.io/`, forceNew: true });
    this.socket.on("connect", () => {
      this.socket.emit("init", { token: token.get() }, (answer) => {
        if (answer.problem) return refused(answer.problem);
        changed(true);
        joined();
      });
    });
    this.socket.on("disconnect", (reason) => {
      changed(false);
      // The server ends a socket whose token has expired or was revoked; asking once more tells which.
      if (reason === "io server disconnect") setTimeout(() => this.socket.connect(), 1000);
    });
    this.socket.on("connect_error", () => {
      changed(false);
      blocked();
    });
    this.socket.onAny(heard);
  }

  close() {
    this.socket.offAny();
    this.socket.close();
  }
}
