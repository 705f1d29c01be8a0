// A package registry with the one package that lies beside it, for as long as the command that follows runs.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";

const [, , tarball, ...command] = process.argv;
const data = fs.readFileSync(tarball);
const server = http.createServer((request, response) => {
  if (request.url.endsWith(".tgz")) return response.end(data);
  const where = `http://127.0.0.1:${server.address().port}`;
  const integrity = `sha512-${createHash("sha512").update(data).digest("base64")}`;
  const version = { name: "greeting", version: "1.0.0", dist: { tarball: `${where}/greeting.tgz`, integrity } };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ name: "greeting", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } }));
});
server.listen(4873, "127.0.0.1", () => {
  spawn(command[0], command.slice(1), { stdio: "inherit" }).on("exit", (code) => process.exit(code ?? 1));
});
