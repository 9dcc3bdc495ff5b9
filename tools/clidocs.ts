/** Makes docs/cli.md from the command line's own parser. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { program } from "@napier/cli";

type Command = ReturnType<typeof program>;

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** What stands below the options in a command's help. */
function afterText(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  const [, after = ""] = text.split(command.helpInformation());
  return after.trim();
}

/** Prose as it is, and the examples as a block. */
function prose(text: string): string[] {
  const [before = "", examples] = text.split(/^Examples:$/m);
  const codes = before.trim().replace(/^Exit codes:\n((?: .*\n?)+)/m, (_, lines: string) => {
    const rows = lines
      .trimEnd()
      .split("\n")
      .map((line) => /^ +(\d+) +(.*)$/.exec(line)!.slice(1).map(cell).join(" | "));
    return `Exit codes:\n\n| | |\n|---|---|\n${rows.map((row) => `| ${row} |`).join("\n")}\n`;
  });
  const lines = examples
    ?.trim()
    .split("\n")
    .map((line) => line.trim());
  return [...(codes === "" ? [] : [codes.trim()]), ...(lines ? [`\`\`\`sh\n${lines.join("\n")}\n\`\`\``] : [])];
}

function optionTable(command: Command): string {
  const rows = command.options.map(({ flags, description, argChoices, defaultValue }) => {
    const choices = argChoices ? ` (${argChoices.join(", ")})` : "";
    const isShown = defaultValue !== undefined && defaultValue !== true;
    return `| \`${cell(flags)}\` | ${cell(description)}${choices}${isShown ? ` (default: ${String(defaultValue)})` : ""} |`;
  });
  return ["| option | |", "|---|---|", ...rows].join("\n");
}

function commandPart(command: Command): string {
  const given = command.registeredArguments.map((argument) => `- \`<${argument.name()}>\`: ${argument.description}`);
  return [
    `## napier ${command.name()}`,
    `${command.description()[0]!.toUpperCase()}${command.description().slice(1)}.`,
    `\`napier ${command.name()} ${command.usage()}\``,
    ...(given.length > 0 ? [given.join("\n")] : []),
    optionTable(command),
    ...prose(afterText(command)),
  ].join("\n\n");
}

export function cliPage(): string {
  const napier = program();
  const parts = [
    "<!-- made by tools/clidocs.ts from the command line's parser -->",
    "# The command line",
    napier.description(),
    optionTable(napier),
    ...prose(afterText(napier)),
    ...napier.commands.map(commandPart),
  ];
  return `${parts.join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../../docs/cli.md", import.meta.url), cliPage());
}
