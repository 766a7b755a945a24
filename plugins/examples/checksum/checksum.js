// Computes checksums of files: a plugin in Node.js that serves many requests at the same time.
const { createHash } = require("node:crypto"), fs = require("node:fs");

const properties = { path: { type: "string", format: "path", default: __filename } };
const plugin = { name: "checksum", version: "1.0.0", description: "Computes checksums of files.", handlers: [
  { name: "sha256", description: "Compute the SHA-256 checksum of a file.", effects: "read", idempotent: true,
    examples: ["checksum of {path}", "what is the sha256 of {path}"], parameters: { type: "object", properties } }] };

async function sha256({ path = __filename }, progress) {
  if (typeof path !== "string") throw failure(-32602, "`path` is no path");
  const hash = createHash("sha256"), total = fs.statSync(path).size;
  let done = 0; // a hundredth at a time, where that is not too much
  for await (const piece of fs.createReadStream(path, { highWaterMark: Math.min(Math.ceil(total / 100) || 1, 2 ** 20) })) {
    hash.update(piece);
    await progress({ done: (done += piece.length), total });
  }
  return { success: true, message: hash.digest("hex"), data: { bytes: done } };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const failure = (code, message) => Object.assign(new Error(message), { code });
const output = fs.createWriteStream(null, { fd: 1 }); // `process.stdout` would stop everything while nobody reads
const send = (message) => output.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n"); // `jsonrpc` is first
const requests = new Map(); // the host's that are not answered yet, by id: { window, cancelled, wake, answered }
let stopping = false;

// Says how far a request is, where somebody listens: at most 32 times more than `$/ack` has counted.
async function progress(id, request, listened, value) {
  while (listened && request.window === 0 && !request.cancelled) await new Promise((wake) => (request.wake = wake));
  if (request.cancelled) throw failure(-32005, "cancelled");
  if (listened) request.window -= 1, send({ method: "$/progress", params: { id, value } });
}

async function serve(id, method, params = {}) {
  const request = requests.get(id);
  if (stopping) throw failure(-32015, "shutting down");
  if (!isObject(params)) throw failure(-32602, "params are an object");
  if (method === "ping") return {};
  if (method === "initialize" || method === "describe") {
    if (params.protocol_versions.some((version) => /^1\./.test(version))) return { protocol_version: "1.0", plugin };
    throw failure(-32010, "this plugin speaks 1.0");
  }
  if (method === "handle_intent") {
    if (params.handler !== "sha256") throw failure(-32013, "the only handler is `sha256`");
    const { context = {} } = params.intent ?? {};
    if (!isObject(params.intent) || !isObject(context)) throw failure(-32602, "`intent` and its context are objects");
    return sha256(context, (value) => progress(id, request, params.meta?.progress, value));
  }
  if (method !== "shutdown") throw failure(-32601, "unknown method");
  stopping = true; // what is being done ends first
  const others = [...requests.values()].filter((other) => other !== request);
  for (const other of others) other.cancelled = true, other.wake();
  await Promise.all(others.map((other) => other.answered));
  return null;
}

async function answer(id, method, params) {
  try {
    send({ id, result: await serve(id, method, params) });
  } catch ({ code, syscall, message }) {
    if (syscall) send({ id, result: { success: false, message: `It cannot be read: ${code}.` } }); // no fault of ours
    else send({ id, error: { code: Number.isInteger(code) ? code : -32012, message } });
  }
  requests.delete(id);
}

function receive(line) {
  let message = null;
  try { message = JSON.parse(line); } catch {} // stays null
  const { id, method, params } = message ?? {};
  const request = requests.get(params?.id); // which `$/cancel` and `$/ack` speak of
  if (method === "$/cancel" && request) request.cancelled = true, request.wake();
  else if (method === "$/ack" && request) request.window += params.count, request.wake();
  else if (typeof method === "string" && ["string", "number"].includes(typeof id)) {
    requests.set(id, { window: 32, cancelled: false, wake() {} });
    requests.get(id).answered = answer(id, method, params);
  }
}

let rest = ""; // of a line that is not whole yet
process.stdin.setEncoding("utf8").on("data", (piece) => {
  const lines = piece.split("\n");
  lines[0] = rest + lines[0];
  rest = lines.pop();
  if (rest.length > 2 ** 24) rest = "too long "; // thrown away: no JSON begins like this
  lines.forEach(receive);
}).on("end", () => output.write("", () => process.exit())); // the host is gone
