import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const CHECK = `import { deepStrictEqual } from "node:assert/strict";
const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const check = (expression, value, expected) => deepStrictEqual(plain(value), expected, \`\${expression}: got \${JSON.stringify(plain(value))}\`);
`;

/** Whether a comment is a JavaScript value. */
function isValue(text: string): boolean {
  if (!/^[[{\d"'-]|^(NaN|Infinity|true|false|undefined)$/.test(text)) return false;
  try {
    new Function(`return (${text});`);
    return true;
  } catch {
    return false;
  }
}

/** The code with a check for each line `expression; // value`, and how many there are. */
export function withChecks(code: string): { code: string; checks: number } {
  let checks = 0;
  const lines = code.split("\n").map((line) => {
    const [, expression, comment] = /^\s*(.+?);\s*\/\/ (.+)$/.exec(line) ?? [];
    if (comment === undefined || /^(const|let|import)\b/.test(expression) || !isValue(comment)) return line;
    checks++;
    return `check(${JSON.stringify(expression)}, ${expression}, ${comment});`;
  });
  return { code: CHECK + lines.join("\n"), checks };
}

/**
 * Runs an example in a Node of its own: in each line `expression; // value` the expression must give the value.
 * Returns how many lines were compared; throws what the example throws.
 */
export function runExample(name: string, code: string): number {
  const checked = withChecks(code);
  const folder = join(ROOT, "node_modules/.examples"); // where the workspaces' names resolve
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, checked.code);
  execFileSync(process.execPath, [file], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  return checked.checks;
}
