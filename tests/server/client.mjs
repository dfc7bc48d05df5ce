// The real socket.io-client, driven by lines of JSON: {"emit": name, "data": …} in, one event a line out.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { io } = createRequire(`${process.argv[2]}/`)("socket.io-client");
const socket = io(`${process.argv[3]}whatsapp`, { transports: process.argv[4] ? [process.argv[4]] : undefined });
const say = (event, told) => process.stdout.write(`${JSON.stringify({ ...told, event })}\n`);

socket.on("connect", () => say("connect", {}));
socket.on("disconnect", (reason) => say("client_disconnect", { reason }));
socket.onAny((name, told) => say(name, { ...told, told: told?.event }));
createInterface({ input: process.stdin }).on("line", (line) => {
  const { emit, data } = JSON.parse(line);
  socket.emit(emit, data, (answer) => say("ack", { answer }));
}).on("close", () => { socket.close(); process.exit(0); });
