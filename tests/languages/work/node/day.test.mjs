// An ordinary day with Node.js: every piece is what real projects do, and behaves inside as it does outside.
import assert from "node:assert/strict";
import { execFile, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

const scratch = fs.mkdtempSync(path.join(process.cwd(), "day-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true, force: true }));

test("workers share memory and answer", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const code =
    "const { workerData, parentPort } = require('worker_threads');" +
    "Atomics.add(workerData, 0, 1); parentPort.postMessage('done');";
  const workers = Array.from({ length: 8 }, () => new Worker(code, { eval: true, workerData: shared }));
  await Promise.all(workers.map((worker) => once(worker, "message")));
  await Promise.all(workers.map((worker) => worker.terminate()));
  assert.equal(shared[0], 8);
});

test("children run, fork talks over its channel", async () => {
  const { stdout } = await promisify(execFile)("sh", ["-c", "echo $((6 * 7))"]);
  assert.equal(stdout, "42\n");
  const file = path.join(scratch, "child.cjs");
  fs.writeFileSync(file, "process.on('message', (n) => { process.send(n + 1); process.disconnect(); })");
  const child = fork(file);
  child.send(1);
  assert.deepEqual((await once(child, "message"))[0], 2);
  await once(child, "exit");
  const killed = spawn("sleep", ["60"]);
  killed.kill("SIGTERM");
  assert.deepEqual(await once(killed, "exit"), [null, "SIGTERM"]);
});

for (const host of ["127.0.0.1", "::1", "localhost"]) {
  test(`http is served on ${host}`, async () => {
    const server = http.createServer((_, response) => response.end("served")).listen(0, host);
    await once(server, "listening");
    const where = `http://${host.includes(":") ? `[${host}]` : host}:${server.address().port}/`;
    assert.equal(await (await fetch(where)).text(), "served");
    server.close();
    server.closeAllConnections();
  });
}

test("the processes of a cluster answer at one port", async () => {
  const script = path.join(scratch, "cluster.cjs");
  fs.writeFileSync(
    script,
    `const cluster = require("node:cluster"), http = require("node:http");
    if (cluster.isPrimary) {
      const said = new Set();
      const ask = (port) =>
        http.get({ port, host: "127.0.0.1", agent: false }, (answer) =>
          answer.on("data", (pid) => said.add(Number(pid))).on("end", () => said.size < 3 ? ask(port) : end()));
      const end = () => {
        const workers = Object.values(cluster.workers).map((worker) => worker.process.pid);
        console.log(workers.every((pid) => said.has(pid)), workers.length);
        cluster.disconnect();
      };
      let ready = 0;
      cluster.on("listening", (_, { port }) => ++ready === 3 && ask(port));
      for (let number = 0; number < 3; number++) cluster.fork();
    } else http.createServer((_, answer) => answer.end(String(process.pid))).listen(0, "127.0.0.1");`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 60_000 });
  assert.equal(stdout, "true 3\n");
});

test("a Unix socket is served", async () => {
  const where = path.join(scratch, "socket");
  const server = net.createServer((socket) => socket.end("hello")).listen(where);
  await once(server, "listening");
  const [data] = await once(net.connect(where), "data");
  assert.equal(String(data), "hello");
  server.close();
});

test("the interfaces of the machine can be asked for", () => {
  assert.ok(Object.keys(os.networkInterfaces()).includes("lo"));
});

test("a change of a file is noticed", async () => {
  const watched = path.join(scratch, "watched");
  fs.mkdirSync(watched);
  const watcher = fs.watch(watched);
  const change = once(watcher, "change");
  fs.writeFileSync(path.join(watched, "new"), "x");
  assert.equal((await change)[1], "new");
  watcher.close();
});

test("a terminal is one", () => {
  const done = spawnSync("script", ["-qec", "test -t 0 && test -t 1 && echo terminal", "/dev/null"], {
    encoding: "utf8",
    input: "",
  });
  assert.match(done.stdout, /terminal/);
});

test("a lock keeps others out", async () => {
  const file = path.join(scratch, "lock");
  const holder = spawn("flock", [file, "sh", "-c", "echo held; read line"], { stdio: ["pipe", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  assert.equal(spawnSync("flock", ["-n", file, "true"]).status, 1);
  holder.stdin.end("\n");
  await once(holder, "exit");
  assert.equal(spawnSync("flock", ["-n", file, "true"]).status, 0);
});

test("fifty megabytes go through a pipe and back", async () => {
  const size = 50 * 1024 * 1024;
  const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  let received = 0;
  child.stdout.on("data", (chunk) => (received += chunk.length));
  child.stdin.end(Buffer.alloc(size, "x"));
  await once(child.stdout, "end");
  assert.equal(received, size);
});

test("names are Unicode", () => {
  const name = path.join(scratch, "näme-日本-🦊");
  fs.writeFileSync(name, "ok");
  assert.ok(fs.readdirSync(scratch).includes("näme-日本-🦊"));
  assert.equal(fs.readFileSync(name, "utf8"), "ok");
});
