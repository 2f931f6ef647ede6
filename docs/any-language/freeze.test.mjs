import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const SERVE = "serve large-post-deadlock --speed 24 --port 0 --ready-file - --control 0";
let lab, ready;

before(async () => {
  lab = spawn("tlslab", SERVE.split(" "), { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: lab.stdout }), "line");
  ready = JSON.parse(line);
});

after(async () => {
  lab.kill("SIGTERM");
  assert.deepEqual(await once(lab, "exit"), [0, null]);
});

// The client under test: put your own here.
function upload() {
  const { cert_file, key_file } = ready.identities.alice;
  const options = {
    method: "POST",
    agent: false, // a connection of its own
    ca: readFileSync(ready.ca_file),
    cert: readFileSync(cert_file),
    key: readFileSync(key_file),
  };
  return new Promise((resolve, reject) => {
    https
      .request(ready.target_url, options, (answer) => resolve(answer.resume().statusCode))
      .on("error", reject)
      .end(Buffer.alloc(2 ** 20));
  });
}

async function control(method, path, body) {
  const headers = { Authorization: `Bearer ${ready.control.token}`, "Content-Type": "application/json" };
  const answer = await fetch(ready.control.url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

test("a large upload freezes, and is reset", async () => {
  await assert.rejects(upload(), { code: "ECONNRESET" });
  const [frozen] = await control("GET", "/labs/large-post-deadlock/connections");
  assert.equal(frozen.deadlocked, true);
});

test("it works where the binding asks for the certificate", async () => {
  await control("PATCH", "/labs/large-post-deadlock", { fixes: ["negotiate-on-binding"] });
  assert.equal(await upload(), 200);
  const served = (await control("GET", "/labs/large-post-deadlock/connections")).at(-1);
  assert.deepEqual([served.certificate, served.renegotiated], ["CN=alice", false]);
});
