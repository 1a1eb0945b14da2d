// Runs an exported script in the sandbox of claude-code-router 3: its worker, which gets what its gateway gives it.
import fs from "node:fs";
import readline from "node:readline";
import { Worker } from "node:worker_threads";

const [workerFile, scriptFile] = process.argv.slice(2);
const script = { source: fs.readFileSync(scriptFile, "utf8"), timeoutMs: 5000 };
const worker = new Worker(workerFile);
const waiting = new Map();
let last = 0;
worker.on("message", (said) => { if (said.type === "response") waiting.get(said.requestId)(said); });
const rpc = (type, input) => new Promise((resolve) => {
  last += 1;
  waiting.set(last, resolve);
  worker.postMessage({ requestId: last, script, type, ...(input ? { input } : {}) });
});
for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const said = await rpc(asked.validate ? "validate" : "execute", asked.input);
  process.stdout.write(`${JSON.stringify({ status: said.status, error: said.error ?? null, result: said.result ?? null })}\n`);
}
process.exit(0);
