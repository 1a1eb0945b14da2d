// A route script of claude-code-router 3: costctl_route.py decides, which costctl_serve.py asks on this machine.
//
// The router runs this as the body of a function of `input` and `api`. Where nobody answers at COSTCTL_PORT, this
// throws, and the next rule of config.json takes the request to the default tier.
const LANES = {};
const PORT = api.env("COSTCTL_PORT") || "4147";
// The router lets a script send 256 KB.
const MOST_BYTES = 200000;

/** The size of a text in UTF-8; two halves of one character count six bytes instead of four. */
function sizeOf(text) {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    bytes += code < 128 ? 1 : code < 2048 ? 2 : 3;
  }
  return bytes;
}

/** The characters of all texts in a content. */
function charsOf(content) {
  if (typeof content === "string") return content.length;
  if (Array.isArray(content)) return content.reduce((sum, one) => sum + charsOf(one), 0);
  return content && typeof content === "object" ? charsOf(content.text || content.content || "") : 0;
}

/** Whether a message holds what tools gave back, and nothing that a user wrote. */
function isToolResult(message) {
  const { content } = message;
  return Array.isArray(content) && content.length > 0 && content.every((one) => one && one.type === "tool_result");
}

/** The texts of a message without images and results of tools, as far as half of what may be sent. */
function shortened(message) {
  const parts = Array.isArray(message.content) ? message.content : [{ type: "text", text: String(message.content) }];
  const text = parts.map((one) => (one && typeof one.text === "string" ? one.text : "")).filter(Boolean).join("\n");
  let kept = text.slice(0, MOST_BYTES / 2);
  while (sizeOf(kept) > MOST_BYTES / 2) kept = kept.slice(0, Math.floor(kept.length / 2));
  return { role: "user", content: kept };
}

/** A request that is too long to be sent whole: the last message of the user, and how long the rest is. */
function shortenedBody(body) {
  const messages = Array.isArray(body.messages) ? body.messages.filter((one) => one && typeof one === "object") : [];
  const turns = messages.filter((one) => one.role === "user" && !isToolResult(one));
  const tools = messages.filter((one) => one.role === "user" && isToolResult(one));
  const chars = (listed) => listed.reduce((sum, one) => sum + charsOf(one.content), 0);
  const last = turns.slice(-1);
  const beside = {
    turn_count: turns.length, has_image: input.summary.hasImage, user_chars: chars(last), tool_chars: chars(tools),
    system_chars: charsOf(body.system), prompt_chars: charsOf(body.system) + chars(messages),
    history_chars: chars(messages) - chars(last) - chars(tools),
    tool_count: Array.isArray(body.tools) ? body.tools.length : null,
  };
  return { body: { model: body.model, max_tokens: body.max_tokens, messages: last.map(shortened) }, beside };
}

/** The first model of the lane that can hold the request, or one drawn by weight. */
function picked(lane, held) {
  const models = lane.models.filter((one) => held.includes(one.name));
  const all = models.reduce((sum, one) => sum + one.weight, 0);
  let left = Math.random() * all;
  return models.find((one) => (left -= one.weight) < 0) || models[0];
}

/** What the tier sets; a request that thinks keeps its own limit and temperature, which must fit together. */
function rewrites(body, lane, instruction) {
  const made = [];
  const set = (name, value) => made.push({ key: `request.body.${name}`, operation: "set", value });
  if (!body.thinking) {
    if (lane.max_tokens !== null) set("max_tokens", Math.min(body.max_tokens || lane.max_tokens, lane.max_tokens));
    if (lane.temperature !== null) set("temperature", lane.temperature);
  }
  if (instruction) {
    const before = typeof body.system === "string" ? [{ type: "text", text: body.system }] : body.system || [];
    set("system", [...before, { type: "text", text: instruction }]);
  }
  return made;
}

const { body } = input;
// Somebody who names a provider and a model gets it.
if (String(body.model).includes("/")) return null;
const [user, session] = String((body.metadata && body.metadata.user_id) || "").split("_session_");
const metadata = { request_model: body.model, input_tokens: input.tokenCount };
if (user) metadata.user_id = user;
if (session || input.sessionId) metadata.session_id = session || input.sessionId;
let asked = JSON.stringify({ body, metadata });
if (sizeOf(asked) > MOST_BYTES) {
  const short = shortenedBody(body);
  asked = JSON.stringify({ body: short.body, metadata: { ...short.beside, ...metadata } });
}
const answer = await api.fetch(`http://127.0.0.1:${PORT}/decide`, {
  method: "POST", headers: { "content-type": "application/json" }, body: asked,
});
if (!answer.ok) throw new Error(`costctl_serve.py answers ${answer.status}`);
const found = JSON.parse(answer.body);
const lane = LANES[found.tier];
const model = lane && picked(lane, found.models);
if (!model) return null;
const rest = lane.chain.filter((one) => one !== model.asked);
const again = { mode: lane.retries > 0 ? "retry" : "off", models: [], retryCount: lane.retries };
return {
  model: model.asked, rewrites: rewrites(body, lane, found.add_instruction),
  fallback: rest.length > 0 ? { mode: "model-chain", models: rest, retryCount: 0 } : again,
};
