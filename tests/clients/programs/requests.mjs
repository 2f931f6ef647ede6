// Takes requests one after another, each on a connection of its own, and prints how each ended.
// Arguments: the authority to trust, and requests written NAME,METHOD,BYTES,IDENTITY,URL, the identity without .pem.
import https from "node:https";
import { readFileSync } from "node:fs";

const [authority, ...requests] = process.argv.slice(2);
const ca = readFileSync(authority);
const agents = {}; // it keeps the sessions

function send(method, bytes, identity, url) {
  agents[identity] ??= new https.Agent({
    ca,
    cert: readFileSync(`${identity}.pem`),
    key: readFileSync(`${identity}-key.pem`),
  });
  return new Promise((done) => {
    const headers = { "User-Agent": "node", "Content-Length": bytes };
    const request = https.request(url, { method, agent: agents[identity], headers }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => done(JSON.parse(text).status));
    });
    request.on("error", (error) => done(`${error.code} ${error.message}`));
    request.end(Buffer.alloc(bytes));
  });
}

for (const one of requests) {
  const [name, method, bytes, identity, url] = one.split(",");
  console.log(`node\t${name}\t${await send(method, Number(bytes), identity, url)}`);
}
