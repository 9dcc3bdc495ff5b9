import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TRAIN = fileURLToPath(new URL("train.js", import.meta.url));
const KILLS = [10, 25, 26, 40];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs the training, and kills it without warning once it has said that this epoch is done. Returns what it said. */
function train(folder: string, lastEpoch = Infinity): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [TRAIN, folder], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.includes(`epoch ${lastEpoch}:`)) child.kill("SIGKILL");
    });
    child.on("error", reject).on("close", (code, signal) => {
      if (code !== 0 && signal !== "SIGKILL") reject(new Error(`the training ended with ${code ?? signal}`));
      else resolve(text.trimEnd().split("\n"));
    });
  });
}

const folder = mkdtempSync(join(tmpdir(), "napier-resume-"));
try {
  say("1. a training that nobody disturbs");
  const whole = await train(join(folder, "whole"));
  for (const line of whole.slice(-2)) say(`  ${line}`);

  say(`\n2. the same training, killed after epoch ${KILLS.join(", ")}`);
  const killed = join(folder, "killed");
  let lines: string[] = [];
  for (const epoch of [...KILLS, Infinity]) {
    lines = await train(killed, epoch);
    const last = lines.findLast((line) => line.startsWith("epoch")) ?? lines[0]!;
    say(`  ${lines[0]}; ${epoch < Infinity ? "killed" : "done"} after ${last}`);
  }
  say(`  ${lines.at(-1)}`);

  const same = whole.at(-1) === lines.at(-1) && whole.at(-1)!.startsWith("sha256 ");
  say(`\n${same ? "the same file, byte for byte" : "another file: that is a bug"}`);
  if (!same) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
