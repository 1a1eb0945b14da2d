// The custom router of claude-code-router 2: costctl_route.py beside it decides, as the simulation does.
//
// One process of Python answers all requests (COSTCTL_PYTHON, else python3). Where it cannot, this throws, and the
// router goes on by its scenarios (`Router` in config.json).
"use strict";
const { spawn } = require("node:child_process");
const readline = require("node:readline");

const LANES = {};

const PROGRAM = `
import json, sys
sys.path.insert(0, sys.argv[1])
import costctl_route
sessions = costctl_route.Sessions()
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(costctl_route.decide(asked["body"], asked["metadata"], sessions)), flush=True)
`;

let decider = null;

/** The process that decides, and who waits for it, in order. */
function started() {
  const child = spawn(process.env.COSTCTL_PYTHON || "python3", ["-B", "-c", PROGRAM, __dirname], {
    stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, PYTHONUTF8: "1" },
  });
  const made = { child, waiting: [] };
  const lost = (why) => {
    if (decider === made) decider = null;
    for (const one of made.waiting.splice(0)) one.reject(new Error(`costctl_route.py does not answer: ${why}`));
  };
  child.on("error", (error) => lost(error.message));
  child.on("exit", (code) => lost(`exit ${code}`));
  child.stdin.on("error", (error) => lost(error.message));
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    made.waiting.shift().resolve(JSON.parse(line));
    if (made.waiting.length === 0) child.stdout.unref();
  });
  // It holds up nobody who wants to end, but for an answer that is awaited.
  child.unref();
  child.stdin.unref();
  return made;
}

/** The decision for a body; what lies beside it is under the names of the policy's conditions. */
function decided(body, metadata) {
  decider = decider || started();
  const { child, waiting } = decider;
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    child.stdout.ref();
    child.stdin.write(`${JSON.stringify({ body, metadata })}\n`);
  });
}

/** Whether somebody named a provider and a model, or a subagent its own. */
function isChosen(body) {
  const second = Array.isArray(body.system) && body.system[1] && body.system[1].text;
  return String(body.model).includes(",") || String(second || "").startsWith("<CCR-SUBAGENT-MODEL>");
}

/** The first model of the lane that can hold the request, or one drawn by weight. */
function picked(lane, held) {
  const models = lane.models.filter((one) => held.includes(one.name));
  const all = models.reduce((sum, one) => sum + one.weight, 0);
  let left = Math.random() * all;
  return models.find((one) => (left -= one.weight) < 0) || models[0];
}

/** What the tier says of the request; one that thinks keeps its own limit and temperature, which must fit together. */
function limited(body, lane, instruction) {
  if (!body.thinking) {
    if (lane.max_tokens !== null) body.max_tokens = Math.min(body.max_tokens || lane.max_tokens, lane.max_tokens);
    if (lane.temperature !== null) body.temperature = lane.temperature;
  }
  if (instruction) {
    const before = typeof body.system === "string" ? [{ type: "text", text: body.system }] : body.system || [];
    body.system = [...before, { type: "text", text: instruction }];
  }
}

module.exports = async function router(req) {
  const body = req.body;
  if (isChosen(body)) return undefined;
  const [user, session] = String((body.metadata && body.metadata.user_id) || "").split("_session_");
  const beside = { request_model: body.model, input_tokens: req.tokenCount };
  if (user) beside.user_id = user;
  if (session) beside.session_id = session;
  const found = await decided(body, beside);
  const lane = LANES[found.tier];
  const model = lane && picked(lane, found.models);
  if (!model) return undefined;
  limited(body, lane, found.add_instruction);
  // Its fallbacks are those of the scenario, which the router sets to "default" after this: each model keeps its own.
  Object.defineProperty(req, "scenarioType", { get: () => model.scenario, set() {}, enumerable: true });
  return model.asked;
};
