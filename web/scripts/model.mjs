// Copies the default model's folder to where the page or the package looks for it: node scripts/model.mjs TARGET
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../src/upright");
const name = /^DEFAULT_MODEL = "(.+)"$/m.exec(readFileSync(join(root, "model.py"), "utf-8"))[1];
const target = resolve(process.argv[2]);
mkdirSync(target, { recursive: true });
for (const file of ["model.json", "model.onnx"]) copyFileSync(join(root, "models", name, file), join(target, file));
