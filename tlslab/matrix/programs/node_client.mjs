// Node's clients: https, or fetch of the package undici. What to ask comes as JSON on standard input.
import https from "node:https";
import { readFileSync } from "node:fs";

const way = process.argv[2];
const job = JSON.parse(readFileSync(0, "utf8"));
const undici = way === "undici" ? await import("undici") : null;

function identity(ask) {
  const own = ask.cert ? { cert: readFileSync(ask.cert), key: readFileSync(ask.key) } : {};
  return { ca: readFileSync(job.ca), ...own };
}

function withHttps(agent, ask) {
  return new Promise((done) => {
    const length = ask.body && !ask.chunked ? { "Content-Length": ask.body } : {};
    const expect = ask.expect_100 ? { Expect: "100-continue" } : {};
    const headers = { Accept: "application/json", ...length, ...expect, ...ask.headers };
    const request = https.request(ask.url, { method: ask.method, agent, headers }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => done({ status: answer.statusCode, text, error: "" }));
    });
    request.on("error", (error) => done({ status: 0, text: "", error: `${error.code} ${error.message}` }));
    const body = Buffer.alloc(ask.body);
    if (ask.expect_100) request.on("continue", () => request.end(body));
    else request.end(body);
  });
}

async function withUndici(dispatcher, ask) {
  try {
    const body = ask.body ? Buffer.alloc(ask.body) : undefined;
    const answer = await undici.fetch(ask.url, { method: ask.method, headers: ask.headers, body, dispatcher });
    return { status: answer.status, text: await answer.text(), error: "" };
  } catch (error) {
    const cause = error.cause ?? error;
    return { status: 0, text: "", error: `${error.message}: ${cause.code ?? ""} ${cause.message}` };
  }
}

let client;
for (const ask of job.asks) {
  if (!client || !ask.same_connection) {
    client = undici ? new undici.Agent({ connect: identity(ask) }) : new https.Agent({ keepAlive: true, ...identity(ask) });
  }
  console.log(JSON.stringify(await (undici ? withUndici : withHttps)(client, ask)));
}
process.exit(0);
