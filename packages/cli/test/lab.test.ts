import { type ChildProcess, spawn } from "node:child_process";
import { request } from "node:http";
import { afterEach, expect, test } from "vitest";
import { BIN, napier, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** Starts the lab; resolves to its address once it is printed. */
function start(...args: string[]): Promise<{ address: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [BIN, "lab", "--no-open", ...args], { cwd: folder });
  running.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve({ address: String(text), child }));
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
}

/** The status of a GET that says it is for this host. */
function statusFor(address: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(address, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", reject).end();
  });
}

test("prints its address alone on stdout, and Ctrl-C ends it", async () => {
  const { address, child } = await start();
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\n$/);
  expect((await fetch(address.trim())).status).toBe(200);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  expect(await ended).toBe(0);
});

test("a name that another site has given this address is refused", async () => {
  const { address } = await start();
  const { host, port } = new URL(address.trim());
  expect(await statusFor(address.trim(), host)).toBe(200);
  expect(await statusFor(address.trim(), `localhost:${port}`)).toBe(200);
  expect(await statusFor(address.trim(), `evil.example:${port}`)).toBe(403);
});

test("--port: that one, an error where it is in use or no port", async () => {
  const { address } = await start();
  const { port } = new URL(address.trim());
  expect(await napier(folder, "lab", "--no-open", "--port", port)).toEqual({
    code: 1,
    stdout: "",
    stderr: `error: cannot listen on port ${port}: it is in use\nhint: take another with --port, or 0 for any\n`,
  });
  const { code, stderr } = await napier(folder, "lab", "--port", "70000");
  expect([code, stderr]).toEqual([
    2,
    "error: option '--port <n>' argument '70000' is invalid. Expected a whole number from 0 to 65535.\n",
  ]);
});
