// Starts the processes of bench/scale.js: here, or in two network namespaces that are joined by a veth pair, as if on two hosts.
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const RANK = fileURLToPath(new URL("scale_rank.js", import.meta.url));
const HOSTS = ["10.83.0.1", "10.83.0.2"];
const NET = "10.83.0.0/24";
const TCP = [
  ...["--mca", "pml", "ob1", "--mca", "btl", "tcp,self"],
  ...["--mca", "btl_tcp_if_include", NET, "--mca", "oob_tcp_if_include", NET],
];

const run = promisify(execFile);
const first = (text) => text.split("\n")[0].trim();
const versionOf = (command) => first(spawnSync(command, ["--version"], { encoding: "utf8" }).stdout ?? "");

/** Open MPI's launcher, or undefined. */
export const MPIRUN = ["mpirun.openmpi", "mpirun"].find((command) => /Open MPI/.test(versionOf(command)));

/** Runs `file …args` on ranks; 0 ranks are one process without a launcher. Seconds of the whole command, and what it prints. */
export async function command(ranks, args, hosts) {
  const oversubscribed = ranks > os.availableParallelism() ? ["--oversubscribe"] : [];
  const place = hosts ? ["--mca", "plm_rsh_agent", hosts.agent, "--host", HOSTS.join(","), ...TCP] : oversubscribed;
  const start = ["-n", `${ranks}`, "--bind-to", "none", ...place, process.execPath];
  const whole = ranks === 0 ? [process.execPath] : [...(hosts?.enter ?? []), MPIRUN, ...start];
  const [file, ...rest] = [...whole, ...args];
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const began = performance.now();
  const { stdout } = await run(file, rest, { env, maxBuffer: 1 << 26 });
  return { seconds: (performance.now() - began) / 1000, stdout };
}

/** Runs a job of scale_rank.js; what each rank says, by rank, and the seconds of the whole command. */
export async function launch(ranks, job, hosts) {
  const { seconds, stdout } = await command(ranks, [RANK, JSON.stringify(job)], hosts);
  const said = stdout.split("\n").filter((line) => line.startsWith("{"));
  return { seconds, said: said.map((line) => JSON.parse(line)).sort((a, b) => a.rank - b.rank) };
}

/** Why there are no two hosts here; undefined where there may be. */
export function whyNoHosts() {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  return spawnSync("ip", ["-V"]).error ? "there is no ip command (iproute2)" : undefined;
}

/** Calls `use` with two network namespaces that see nothing but each other, and removes them. */
export async function withHosts(folder, use) {
  const [a, b] = ["a", "b"].map((letter) => `napier-${process.pid}-${letter}`);
  const [va, vb] = ["a", "b"].map((letter) => `np${process.pid}${letter}`);
  const ip = (...args) => run("ip", args);
  try {
    await ip("netns", "add", a);
    await ip("netns", "add", b);
    await ip("link", "add", va, "netns", a, "type", "veth", "peer", "name", vb, "netns", b);
    for (const [name, link, host] of [
      [a, va, HOSTS[0]],
      [b, vb, HOSTS[1]],
    ]) {
      await ip("-n", name, "addr", "add", `${host}/24`, "dev", link);
      for (const each of ["lo", link]) await ip("-n", name, "link", "set", each, "up");
    }
    const agent = join(folder, "rsh");
    writeFileSync(agent, `#!/bin/sh\nshift\nexec ip netns exec ${b} sh -c "$*"\n`);
    chmodSync(agent, 0o755);
    return await use({ agent, enter: ["ip", "netns", "exec", a] });
  } finally {
    // one that was not made is no error; the pair ends with its namespaces
    for (const name of [a, b]) spawnSync("ip", ["netns", "delete", name]);
  }
}
