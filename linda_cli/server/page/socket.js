// Socket.IO's wire (Engine.IO protocol 4, Socket.IO protocol 5) as far as this page needs it: one namespace, text
// only, WebSocket only. The page needs no build step and nothing from another host this way.

const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4";
const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ACK = "3", REFUSED = "4";

export class Socket {
  // `heard` gets (name, payload); `changed` gets true once connected and false once not; `joined` is awaited at each
  // connection, also after one that was lost.
  constructor(namespace, { heard, changed, joined }) {
    Object.assign(this, { namespace, heard, changed, joined });
    this.answers = new Map();
    this.nextId = 0;
    this.pause = 500;
    this.wanted = true;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.line = new WebSocket(`${scheme}//${location.host}/socket.io/?EIO=4&transport=websocket`);
    this.line.onmessage = (message) => this.arrived(String(message.data));
    this.line.onclose = () => this.lost();
  }

  arrived(text) {
    this.watch();
    const rest = text.slice(1);
    if (text[0] === OPEN) {
      const { pingInterval, pingTimeout } = JSON.parse(rest);
      this.silence = pingInterval + pingTimeout;
      this.line.send(MESSAGE + CONNECT + this.namespace + ",");
    } else if (text[0] === PING) this.line.send(PONG);
    else if (text[0] === CLOSE) this.line.close();
    else if (text[0] === MESSAGE) this.packet(rest);
  }

  packet(text) {
    const start = this.namespace + ",";
    const kind = text[0];
    if (!text.slice(1).startsWith(start)) return;
    const [, id, body] = /^(\d*)(.*)$/s.exec(text.slice(1 + start.length));
    if (kind === CONNECT) this.up();
    else if (kind === EVENT) this.heard(...JSON.parse(body));
    else if (kind === ACK) {
      this.answers.get(Number(id))?.(JSON.parse(body)[0]);
      this.answers.delete(Number(id));
    } else if (kind === DISCONNECT || kind === REFUSED) this.line.close();
  }

  up() {
    this.pause = 500;
    this.changed(true);
    this.joined();
  }

  // The server pings; where it falls silent the line is dead though nobody closed it.
  watch() {
    clearTimeout(this.timer);
    if (this.silence) this.timer = setTimeout(() => this.line.close(), this.silence);
  }

  lost() {
    clearTimeout(this.timer);
    this.answers.clear();
    this.changed(false);
    if (!this.wanted) return;
    setTimeout(() => this.wanted && this.connect(), this.pause * (1 + Math.random() / 4));
    this.pause = Math.min(2 * this.pause, 15000);
  }

  // Resolves with what the server acknowledges.
  ask(name, payload) {
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.answers.set(id, resolve);
      this.line.send(`${MESSAGE}${EVENT}${this.namespace},${id}${JSON.stringify([name, payload])}`);
    });
  }

  close() {
    this.wanted = false;
    this.line.close();
  }
}
