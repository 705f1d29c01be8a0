// An ordinary day of a Node.js program: HTTP over both families, workers, child processes, files, timers.
const assert = require('assert'), http = require('http'), fs = require('fs'), os = require('os'), net = require('net');
const { Worker } = require('worker_threads'), { execFileSync, fork } = require('child_process'), crypto = require('crypto');
if (process.argv[2] === 'child') { process.send('hello'); process.disconnect(); return; }
const get = (host) => new Promise((resolve, reject) => {
  const server = http.createServer((_, answer) => answer.end('served'));
  server.listen(0, host, () => http.get({ host, port: server.address().port }, (answer) => {
    let body = ''; answer.on('data', (part) => body += part); answer.on('end', () => { server.close(); resolve(body); });
  }).on('error', reject));
});
(async () => {
  assert.strictEqual(await get('127.0.0.1'), 'served');
  assert.strictEqual(await get('::1'), 'served');
  assert.strictEqual(await get('localhost'), 'served');
  const said = await new Promise((done) => new Worker("require('worker_threads').parentPort.postMessage(42)", { eval: true }).on('message', done));
  assert.strictEqual(said, 42);
  assert.strictEqual(execFileSync('echo', ['x']).toString(), 'x\n');
  assert.strictEqual(await new Promise((done) => fork(__filename, ['child']).on('message', done)), 'hello');
  await new Promise((done) => { const s = net.createServer().listen('node.sock', () => s.close(done)); });
  fs.writeFileSync('file', 'content'); fs.copyFileSync('file', 'copy'); fs.chmodSync('copy', 0o700);
  assert.strictEqual(await fs.promises.readFile('copy', 'utf8'), 'content');
  const watcher = fs.watch('.'); watcher.close();
  assert.ok(os.cpus().length && os.totalmem() && os.hostname());
  assert.strictEqual((await require('util').promisify(crypto.pbkdf2)('p', 's', 1000, 16, 'sha256')).length, 16);
  console.log('all done');
})().catch((error) => { console.error(error); process.exit(1); });
