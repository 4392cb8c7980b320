// Prints a line a source file, "src/path  sentence", from each file's @file comment: the file tree of docs/architecture.md.
// With --write it puts them there.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../", import.meta.url).pathname;
const files = readdirSync(join(root, "src"), { recursive: true })
  .map((path) => `src/${path.replaceAll("\\", "/")}`)
  .filter((path) => /\.tsx?$/.test(path))
  .sort();
const width = Math.max(...files.map((file) => file.length));
const lines = files.map((file) => {
  const text = readFileSync(join(root, file), "utf8");
  const [, sentence] = /@file\s+([\s\S]*?)\s*\*\//.exec(text) ?? [];
  if (sentence === undefined) throw new Error(`${file} has no @file comment`);
  const flat = sentence.replaceAll(/\s*\n\s*\*?\s*/g, " ");
  return `${file.padEnd(width)}  ${flat}\n`;
});
if (process.argv.includes("--write")) {
  const page = join(root, "docs/architecture.md");
  const text = readFileSync(page, "utf8");
  writeFileSync(
    page,
    text.replace(/(```\n)src\/[\s\S]*?(```)/, (_, open, close) => open + lines.join("") + close),
  );
} else process.stdout.write(lines.join(""));
