// Runs inside the sandbox: JavaScript by V8's own REPL mode, so that `await` works and names stay and can be made anew.
// Lines on stdin: JSON {token, code}. On stdout (fd 1): JSON {token, ok}. What is printed goes to stderr (fd 2).
const fs = require("fs");
const { Session } = require("inspector");
const { format, inspect } = require("util");
const inspection = Symbol.for("aisbx.inspect");

function print(text) {
  for (let rest = Buffer.from(text); rest.length; ) {
    try {
      rest = rest.subarray(fs.writeSync(2, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

Object.defineProperty(globalThis, inspection, { value: (value) => inspect(value, { depth: 4, maxArrayLength: 200 }) });
globalThis.require = require;
for (const name of ["log", "info", "debug", "warn", "error"]) console[name] = (...values) => print(format(...values) + "\n");
for (const stream of [process.stdout, process.stderr]) stream.write = (part) => (print(part), true);
process.on("uncaughtException", (error) => print(inspect(error) + "\n"));

const session = new Session();
session.connect();
const post = (method, options) =>
  new Promise((resolve) => session.post(method, options, (error, answer) => resolve(error ? { error } : answer)));

async function shown(value) {
  if (!value.objectId) return value.unserializableValue ?? inspect(value.value);
  const declaration = `function () { return globalThis[Symbol.for("aisbx.inspect")](this) }`;
  const options = { objectId: value.objectId, functionDeclaration: declaration, returnByValue: true };
  const told = await post("Runtime.callFunctionOn", options);
  await post("Runtime.releaseObject", { objectId: value.objectId });
  return told.result?.value ?? value.description;
}

async function run(code) {
  const options = { expression: code, replMode: true, awaitPromise: true };
  const { result, exceptionDetails, error } = await post("Runtime.evaluate", options);
  if (error) print(inspect(error) + "\n");
  else if (exceptionDetails) {
    const thrown = exceptionDetails.exception;
    const told = thrown?.description ?? (thrown ? await shown(thrown) : exceptionDetails.text);
    print(told.split("\n    at Session.post (node:inspector")[0] + "\n"); // below are ours
  } else if (result.type !== "undefined") print((await shown(result)) + "\n");
  return !error && !exceptionDetails;
}

let rest = Buffer.alloc(0);
let last = Promise.resolve();
process.stdin.on("data", (part) => {
  rest = Buffer.concat([rest, part]);
  for (let end; (end = rest.indexOf(10)) >= 0; rest = rest.subarray(end + 1)) {
    const wanted = JSON.parse(rest.subarray(0, end));
    last = last.then(() => run(wanted.code)).then((ok) => {
      print(`\0${wanted.token}\0`);
      fs.writeSync(1, JSON.stringify({ token: wanted.token, ok }) + "\n");
    });
  }
});
process.stdin.on("end", () => process.exit(0));
