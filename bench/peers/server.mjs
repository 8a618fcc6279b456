// The best peer that is easily built: fastify and better-sqlite3, with the same promise as the receiver beside it.
// A callback is verified, sealed, and committed to disk before its 202. Run: node server.mjs PORT DATABASE SECRET_FILE
import { createCipheriv, createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import Fastify from "fastify";

const [port, file, secretFile] = process.argv.slice(2);
const SECRET = readFileSync(secretFile, "utf8").trim();
const SEAL_KEY = randomBytes(32);
const TOLERANCE_S = 300;
const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`
  CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL
  )
`);
// Outside an explicit transaction every statement is one, with its own commit.
const insert = db.prepare("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING");
const find = db.prepare("SELECT id FROM deliveries WHERE event_id = ?").pluck();

function isSigned(headers, body) {
  const timestamp = headers["x-onetrust-timestamp"];
  const given = SIGNATURE.exec(headers["x-onetrust-signature"] ?? "")?.[1];
  if (!given || !/^\d{1,12}$/.test(timestamp ?? "")) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const expected = createHmac("sha256", SECRET).update(`${timestamp}.`).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(given, "hex"));
}

function seal(id, body) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", SEAL_KEY, nonce).setAAD(Buffer.from(id));
  return [nonce, Buffer.concat([cipher.update(body), cipher.final(), cipher.getAuthTag()])];
}

// One line per delivery, as the other side writes it, instead of fastify's two.
const app = Fastify({ logger: true, disableRequestLogging: true, bodyLimit: 1024 * 1024 });

// The signature covers the bytes as they came.
app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => done(null, body));

const answer = {
  type: "object",
  properties: { accepted: { type: "boolean" }, jobId: { type: "string" }, duplicate: { type: "boolean" } },
};

app.post("/webhooks/:source", { schema: { response: { 202: answer } } }, (request, reply) => {
  const body = request.body;
  if (!Buffer.isBuffer(body) || !isSigned(request.headers, body)) {
    return reply.code(401).send({ code: "signature_wrong" });
  }
  let said;
  try {
    said = JSON.parse(body);
  } catch {
    return reply.code(400).send({ code: "body_not_json" });
  }
  if (typeof said?.eventId !== "string" || typeof said.subTaskId !== "string" || !said.identifiers) {
    return reply.code(400).send({ code: "body_incomplete" });
  }
  const id = randomUUID();
  const [nonce, sealed] = seal(id, body);
  const isNew = insert.run(id, said.eventId, Date.now(), nonce, sealed).changes === 1;
  const jobId = isNew ? id : find.get(said.eventId);
  request.log.info({ requestId: jobId, duplicate: !isNew }, "delivery_accepted");
  return reply.code(202).send({ accepted: true, jobId, duplicate: !isNew });
});

app.get("/health/ready", () => ({ ready: true }));

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await app.close();
    db.close();
  });
}

await app.listen({ host: "127.0.0.1", port: Number(port) });
