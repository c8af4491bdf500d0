// upright serve, then: node orient.mjs photo.jpg [ADDRESS]. Node 18 or newer; nothing has to be installed.
import { readFile } from "node:fs/promises";

const [file, address = "http://127.0.0.1:8000"] = process.argv.slice(2);
const answer = await fetch(`${address}/v1/orientation`, { method: "POST", body: await readFile(file) });
if (!answer.ok) throw new Error(await answer.text());
const { turn } = await answer.json();
console.log(turn === null ? "unsure" : `turn it ${turn}° clockwise`);
