import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const NAMES = [`napier-${process.pid}-a`, `napier-${process.pid}-b`] as const;
const LINKS = [`nap${process.pid}a`, `nap${process.pid}b`] as const;
const ADDRESSES = ["10.77.0.1", "10.77.0.2"] as const;

const ip = (...args: string[]): void => void execFileSync("ip", args, { stdio: "ignore" });

/** Why there are no two hosts here; undefined where there are. */
function reason(): string | undefined {
  if (process.getuid?.() !== 0) return "wants root, for network namespaces";
  if (spawnSync("ip", ["-V"]).status !== 0) return "install iproute2";
  if (spawnSync("ip", ["netns", "add", NAMES[0]]).status !== 0) return "network namespaces are not allowed here";
  ip("netns", "delete", NAMES[0]);
  return undefined;
}

export const NO_HOSTS = reason();

/**
 * Two hosts of this machine, as far as the network goes: namespaces that a virtual cable joins. Open MPI reaches them by a
 * stand-in for ssh, which is written to `folder`.
 */
export function twoHosts(folder: string) {
  const agent = join(folder, "rsh.sh");
  const cases = ADDRESSES.map((address, n) => `${address}) exec ip netns exec ${NAMES[n]} sh -c "$*" ;;`);
  // options, the host, and its command
  writeFileSync(
    agent,
    `#!/bin/sh\nwhile [ "\${1#-}" != "$1" ]; do shift; done\nhost=$1; shift\ncase $host in\n${cases.join("\n")}\nesac\n`,
  );
  chmodSync(agent, 0o755);
  for (const name of NAMES) ip("netns", "add", name);
  ip("link", "add", LINKS[0], "netns", NAMES[0], "type", "veth", "peer", "name", LINKS[1], "netns", NAMES[1]);
  NAMES.forEach((name, n) => {
    ip("-n", name, "address", "add", `${ADDRESSES[n]}/24`, "dev", LINKS[n]!);
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "link", "set", LINKS[n]!, "up");
  });
  // mpirun would otherwise wait eight minutes for the daemon behind a cut
  const alive = ["time", "2", "intvl", "1", "probes", "2"];
  const options = [
    ...["--bind-to", "none", "--mca", "plm_rsh_agent", agent, "-H", ADDRESSES.join(",")],
    ...[0, 2, 4].flatMap((k) => ["--mca", `oob_tcp_keepalive_${alive[k]}`, alive[k + 1]!]),
  ];
  return {
    /** The command that starts one rank of `node …args` on each. */
    command: (mpirun: string, args: readonly string[]) => ({
      file: "ip",
      args: ["netns", "exec", NAMES[0], mpirun, ...options, "-n", "2", process.execPath, ...args],
    }),
    cut: () => ip("-n", NAMES[1], "link", "set", LINKS[1], "down"),
    mend: () => ip("-n", NAMES[1], "link", "set", LINKS[1], "up"),
    end: () => {
      for (const name of NAMES) ip("netns", "delete", name);
    },
  };
}
