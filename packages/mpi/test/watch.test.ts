import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { LAUNCHERS, launch } from "./launch.ts";

const RANKS = fileURLToPath(new URL("ranks.mjs", import.meta.url));
const ADVICE = "start all of them again";

/** Ranks that add up for two seconds, or until one of them does what it is told, and what all have said. */
async function watched(launcher: Parameters<typeof launch>[0], job: object, ranks = 2) {
  const start = performance.now();
  const ended = await launch(launcher, ranks, [RANKS, "watched", JSON.stringify({ advice: ADVICE, ...job })]);
  return { ...ended, seconds: (performance.now() - start) / 1000, errors: ended.stderr.match(/^error: .*$/gm) ?? [] };
}

describe.each(LAUNCHERS)("$title", ({ launcher, missing }) => {
  const real = test.skipIf(missing);

  real.each(launcher === "MPICH" ? [1] : [0, 1, 2])(
    "rank %i is killed: all end within seconds, and one line says which",
    async (who) => {
      const { code, errors, seconds } = await watched(launcher, { who, what: "kill" }, 3);
      expect(code).not.toBe(0);
      expect(errors).toEqual([
        expect.stringMatching(
          new RegExp(`^error: rank ${who} \\(process \\d+ on .+\\) has come to an end; ${ADVICE}$`),
        ),
      ]);
      expect(seconds).toBeLessThan(20);
    },
  );

  real("a rank that is stopped, as one behind a cut network, is silent: all end", async () => {
    const { code, errors } = await watched(launcher, { who: 1, what: "stop", timeout: 2 });
    expect(code).not.toBe(0);
    expect(errors).toEqual([
      expect.stringMatching(/^error: nothing was heard of rank 1 \(process \d+ on .+\) for 2 s; start all/),
    ]);
  });

  real("ranks that all wait in a call, which no message ends: all end", async () => {
    const { code, errors } = await watched(launcher, { who: 1, what: "leave", timeout: 2 });
    expect(code).not.toBe(0);
    expect(errors).toEqual([`error: the ranks have waited for each other for 2 s; ${ADVICE}`]);
  });

  real("a rank that is slow, longer than the timeout, is waited for", async () => {
    const { code, errors, stdout } = await watched(launcher, { who: 1, what: "work", timeout: 3 });
    expect([code, errors]).toEqual([0, []]);
    expect(stdout.match(/"done":true/g)).toHaveLength(2);
  });

  real("a rank that throws has said why, and nobody else says anything", async () => {
    const { code, errors, stderr } = await watched(launcher, { who: 1, what: "throw" });
    expect(code).not.toBe(0);
    expect(errors).toEqual([]);
    expect(stderr).toContain("Error: a rank's own");
  });

  // what is the same under both
  if (launcher === "MPICH") return;

  real("all are suspended, longer than the timeout, and go on: nobody was lost", async () => {
    const { code, errors, stdout } = await watched(launcher, { who: 0, what: "suspend", timeout: 1 });
    expect([code, errors]).toEqual([0, []]);
    expect(stdout.match(/"done":true/g)).toHaveLength(2);
  });

  real("the watchman itself is killed: one line says so, and all end", async () => {
    const { code, errors } = await watched(launcher, { who: 0, what: "kill the watchman" });
    expect(code).not.toBe(0);
    expect(errors).toEqual([`error: the process beside rank 0 that watches over all has come to an end; ${ADVICE}`]);
  });

  real("without a timeout nobody is watched", async () => {
    const { code, errors } = await watched(launcher, { who: 1, what: "kill", timeout: 0 });
    expect(code).not.toBe(0);
    expect(errors).toEqual([]);
  });
});
