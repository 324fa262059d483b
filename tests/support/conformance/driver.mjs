// Run a script again and again in one process: each line of standard input has its arguments, and gets a line with how
// it ended. Starting Node takes ten times as long as a sync.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const script = pathToFileURL(process.argv[2]).href;
let turn = 0, said = [];
console.log = console.error = (line) => said.push(line);
for await (const line of createInterface({ input: process.stdin })) {
  process.argv.splice(2, Infinity, ...JSON.parse(line));
  process.exitCode = 0;
  said = [];
  await import(`${script}?${(turn += 1)}`);
  process.stdout.write(JSON.stringify([process.exitCode, said.join("\n")]) + "\n");
}
