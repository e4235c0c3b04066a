// The standard JavaScript client, as the web app uses it. Takes its task as JSON and says what it hears, a JSON line each.
import { createRequire } from "node:module";

const task = JSON.parse(process.argv[2]);
const { io } = createRequire(task.modules)("socket.io-client");
const seen = { ...task.seen };
const own = `user:${task.person}`;
const say = (...line) => console.log(JSON.stringify(line));

const socket = io(task.url, {
  transports: task.transports,
  withCredentials: true, // a balancer's cookie is sent back, as a browser does
  reconnectionDelay: 50,
  reconnectionDelayMax: 500,
  auth: (give) => give({ token: task.token, ...(own in seen ? { lastId: seen[own] } : {}) }),
});

async function join(room) {
  try {
    const answer = await socket.timeout(15000).emitWithAck("join", { room, ...(room in seen ? { lastId: seen[room] } : {}) });
    say("answer", answer);
    if (answer.ok && !(room in seen)) seen[room] = answer.lastId;
    if (!answer.ok && answer.code === "UNAVAILABLE" && socket.connected) setTimeout(join, 200, room);
  } catch {
    say("unanswered", room);
  }
}

socket.on("connect", () => {
  say("connect");
  task.rooms.forEach(join);
});
socket.on("connect_error", (error) => {
  say("connect_error", error.message, error.data ?? null);
  // Whom the server refused has to try again by hand.
  if (!socket.active && error.data?.code === "UNAVAILABLE") setTimeout(() => socket.connect(), 200);
});
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((event, data, about) => {
  say("event", event, data, about);
  if (about?.room && event !== "joined") seen[about.room] = about.id;
});
process.stdin.on("data", (given) => {
  for (const line of String(given).trim().split("\n")) {
    const [what, ...more] = JSON.parse(line);
    if (what === "emit") socket.emit(...more);
    if (what === "drop") socket.io.engine.close();
    if (what === "transport") say("transport", socket.io.engine.transport.name);
    if (what === "connect") socket.connect();
  }
});
process.stdin.on("end", () => process.exit(0));
