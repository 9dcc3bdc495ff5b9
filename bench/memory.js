// Peaks of resident memory, where Linux tells them.
import { readFileSync, writeFileSync } from "node:fs";

const resident = (name) => {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  return Number(kilobytes) * 1024;
};

/** Bytes: how far the peak of resident memory during work() is above what was resident before it. */
export async function grown(work) {
  globalThis.gc?.();
  writeFileSync("/proc/self/clear_refs", "5");
  const before = resident("VmRSS");
  await work();
  return resident("VmHWM") - before;
}
