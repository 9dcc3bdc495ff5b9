import { mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { diskStore } from "napier/node";
import type { CheckpointStore } from "napier/train";
import { CommandError, inputError } from "./errors.ts";
import { quoted } from "./words.ts";

/** Where `--checkpoint` keeps them. */
export interface CheckpointFolder {
  readonly store: CheckpointStore;
  /** Whether one was written by this process. */
  isWritten(): boolean;
}

/** Makes the folder if it is missing; throws where a new training would write over another one's checkpoints. */
export function openCheckpoints(folder: string, resume: boolean): CheckpointFolder {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw inputError(`--checkpoint ${folder}: the folder cannot be made (${code})`, undefined, error);
  }
  const store = opened(folder);
  const has = readdirSync(folder).some((name) => /^checkpoint-[ab]\.safetensors$/.test(name));
  if (has && !resume) {
    const hint = "add --resume to go on from them, or name another folder";
    throw inputError(`--checkpoint ${folder}: there are checkpoints already`, hint);
  }
  let written = false;
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    await store.write(name, bytes);
    written = true;
  };
  return { store: { read: (name) => store.read(name), write }, isWritten: () => written };
}

function opened(folder: string): CheckpointStore {
  try {
    return diskStore(folder);
  } catch (error) {
    throw inputError(`--checkpoint ${folder}: the folder cannot be written to`, undefined, error);
  }
}

/** fit's and diskStore's words about checkpoints; undefined for other errors. */
export function checkpointError(error: unknown, folder: string): CommandError | undefined {
  const message = error instanceof Error ? error.message : "";
  const [, owner, text = ""] = /^(fit|diskStore): (.*)$/s.exec(message) ?? [];
  if (owner === undefined || (owner === "fit" && !text.startsWith("checkpoint "))) return undefined;
  // reasons have semicolons of their own
  const at = text.lastIndexOf("; ");
  const [what, todo] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 2)];
  const code = owner === "fit" ? 2 : 1;
  return new CommandError(code, `--checkpoint ${folder}: ${what.replace(/^checkpoint /, "")}`, todo, error);
}

/** How the command was called: by its name, through npx, or by its file. */
function program(script: string): string[] {
  if (script.endsWith(".js")) return ["node", relative("", script)];
  if (basename(dirname(script)) !== ".bin") return [basename(script)];
  return ["npx", /[\\/]_npx[\\/]/.test(script) ? "@napier/cli" : basename(script)];
}

/** The command line that goes on with what this one has begun. */
export function resumeCommand([, script = "napier", ...args]: readonly string[]): string {
  const words = args.includes("--resume") ? args : [...args, "--resume"];
  return [...program(script), ...words].map(quoted).join(" ");
}
