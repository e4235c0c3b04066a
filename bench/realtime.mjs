// The JavaScript sides of `bench/realtime.py`: `server` and `publisher` are Socket.IO with its Redis adapter, `clients` are
// standard clients, many in one process. Tasks come as JSON lines, answers go so.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [what, given] = [process.argv[2], JSON.parse(process.argv[3])];
const require = createRequire(given.modules);
const say = (line) => console.log(JSON.stringify(line));
const now = () => (performance.timeOrigin + performance.now()) / 1000;
const tasks = createInterface({ input: process.stdin });
tasks.on("close", () => process.exit(0));

async function connected() {
  const client = require("redis").createClient({ url: given.redis });
  await client.connect();
  return client;
}

async function server() {
  const { Server } = require("socket.io");
  const { createAdapter } = require("@socket.io/redis-adapter");
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(await connected(), await connected()) });
  io.on("connection", (socket) => {
    socket.on("join", async ({ room }, answer) => {
      await socket.join(room);
      answer({ ok: true });
    });
  });
  http.listen(given.port, "127.0.0.1");
}

async function publisher() {
  const { Emitter } = require("@socket.io/redis-emitter");
  const emitter = new Emitter(await connected());
  say({ ready: true });
  for await (const line of tasks) {
    const { count, every, room, data } = JSON.parse(line);
    const began = now();
    for (let number = 1; number <= count; number++) {
      if (every) await new Promise((go) => setTimeout(go, Math.max(0, (began + number * every - now()) * 1000)));
      const about = { room, id: String(number), timestamp: new Date().toISOString() };
      emitter.to(room).emit("progress_update", { ...data, number, sent: now() }, about);
    }
    say({ began });
  }
}

async function clients() {
  const { io } = require("socket.io-client");
  let [left, delays] = [0, []];
  const hear = (data) => {
    delays.push(now() - data.sent);
    if (--left === 0) say({ ended: now(), delays: summary(delays) });
  };
  const open = () =>
    new Promise((done, fail) => {
      const socket = io(given.url, { transports: ["websocket"], forceNew: true, auth: { token: given.token } });
      socket.on("progress_update", hear);
      socket.on("connect_error", fail);
      socket.on("connect", () => (given.room ? socket.emit("join", { room: given.room }, done) : done()));
    });
  for (let opened = 0; opened < given.clients; opened += 50) {
    await Promise.all(Array.from({ length: Math.min(50, given.clients - opened) }, open));
  }
  say({ ready: true });
  for await (const line of tasks) [left, delays] = [JSON.parse(line).expect * given.clients, []];
}

function summary(delays) {
  delays.sort((a, b) => a - b);
  return { p50: delays[delays.length >> 1], p99: delays[Math.floor(delays.length * 0.99)] };
}

await { server, publisher, clients }[what]();
