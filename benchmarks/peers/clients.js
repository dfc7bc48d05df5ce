// Many real socket.io clients in one process: clients.js URL COUNT. Says when all have joined, and for each page_reloaded that
// is told when the first, the middle and the last of them heard it (milliseconds since 1970).
const { io } = require("socket.io-client");
const [url, count] = [process.argv[2], Number(process.argv[3])];
const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");
const now = () => performance.timeOrigin + performance.now();
const heard = new Map();
let joined = 0;
for (let index = 0; index < count; index++) {
  const socket = io(`${url}whatsapp`, { transports: ["websocket"], forceNew: true, reconnection: false });
  socket.on("connect", () => socket.emit("init", {}, () => ++joined === count && say({ joined })));
  socket.on("page_reloaded", (told) => {
    const times = heard.get(told.at) || [];
    heard.set(told.at, [...times, now()]);
    if (times.length + 1 === count) {
      const sorted = heard.get(told.at).sort((a, b) => a - b);
      say({ at: Date.parse(told.at), first: sorted[0], middle: sorted[count >> 1], last: sorted[count - 1] });
    }
  });
}
