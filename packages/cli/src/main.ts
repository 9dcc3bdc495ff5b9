import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { styleText } from "node:util";
import { launched } from "@napier/mpi";
import { CommanderError } from "commander";
import { CommandError, Interruption, oneLine, printable } from "./errors.ts";
import { writingError } from "./output.ts";
import { program } from "./program.ts";

/** Red and the like, where a person sees it and did not refuse colours. */
function coloured(style: "red" | "yellow", text: string): string {
  const { NO_COLOR, TERM } = process.env;
  return process.stderr.isTTY && !NO_COLOR && TERM !== "dumb" ? styleText(style, text) : text;
}

function report(error: unknown, debug: boolean, who: string): number {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const { hint, exitCode } = error instanceof CommandError ? error : { hint: undefined, exitCode: 1 };
  const prefix = error instanceof Interruption ? "" : `${coloured("red", "error:")} `;
  const more = hint === undefined ? "" : `${coloured("yellow", "hint:")} ${printable(oneLine(hint))}\n`;
  process.stderr.write(`${prefix}${who}${printable(oneLine(message))}\n${more}`);
  if (error instanceof Interruption && error.command) process.stderr.write(`  ${error.command}\n`);
  if (debug) process.stderr.write(`${stack}\n`);
  return exitCode;
}

const MUTE = { writeOut: (): void => {}, writeErr: (): void => {} };

/**
 * Runs the command line and sets the exit code: 2 for wrong usage or input, 3 where check finds a broken row, 1 for a
 * failure, 130 after Ctrl-C, 143 after SIGTERM.
 */
export async function run(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // the reader has seen enough
    process.exit(report(writingError("to stdout", error), false, ""));
  });
  const napier = program(argv);
  const rank = launched()?.rank ?? 0;
  // help and usage are the same on all ranks
  if (rank > 0) for (const each of [napier, ...napier.commands]) each.configureOutput(MUTE);
  try {
    await napier.parseAsync(argv);
  } catch (error) {
    // commander has printed its own message, or the help
    if (error instanceof CommanderError) {
      if (rank > 0 && error.exitCode > 0) await setTimeout(2000);
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else {
      // what all ranks say rank 0 says, and the launcher ends the others; what one alone has to say is told a little later
      if (rank > 0) await setTimeout(2000 + Math.min(5000, 100 * rank));
      process.exitCode = report(error, Boolean(napier.opts().debug), rank > 0 ? `rank ${rank}: ` : "");
      if (rank > 0) process.exit(); // a launcher ends the others when one has failed
    }
  }
}
