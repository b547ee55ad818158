// Sends the requests that it reads, one a line: method, path and body, with tabs between them. Prints the status and the body of each
// answer. The second argument says by which of Node's own clients: `fetch` or `http`.
import http from "node:http";
import readline from "node:readline";

const [base, client] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });

async function byFetch(method, path, body) {
    const response = await fetch(base + path, { method, body: body || undefined });
    return [response.status, await response.text()];
}

function byHttp(method, path, body) {
    return new Promise((resolve, reject) => {
        const request = http.request(base + path, { method, agent }, (response) => {
            let text = "";
            response.setEncoding("utf8");
            response.on("data", (part) => (text += part));
            response.on("end", () => resolve([response.statusCode, text]));
        });
        request.on("error", reject);
        request.end(body);
    });
}

const send = { fetch: byFetch, http: byHttp }[client];
for await (const line of readline.createInterface({ input: process.stdin })) {
    const [status, text] = await send(...line.split("\t"));
    console.log(`${status}\t${text.trim()}`);
}
agent.destroy();
