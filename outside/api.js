/**
 * Makes docs/api from the docstrings of packages/napier: TypeDoc lists what each entry point exports and reads its
 * docstrings, checker.js its signatures; markdown.js writes the pages.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pagesOf } from "./markdown.js";

const PACKAGE = fileURLToPath(new URL("../packages/napier/", import.meta.url));
const API = fileURLToPath(new URL("../docs/api/", import.meta.url));

/** The package's entry points: what is imported, and the source it stands for. */
function entryPoints() {
  const { name, exports } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => target.types)
    .map(([path, { types }]) => ({
      name: name + path.slice(1),
      file: join(PACKAGE, types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")),
    }));
}

const textOf = (parts) => parts.map((part) => part.text).join("");
const isPublic = ({ name, flags }) => !name.startsWith("#") && !flags.isPrivate;

/** The entry points, each with its functions, classes and types, as plain objects for markdown.js. */
async function read() {
  const { Application, Converter, ReflectionKind: Kind, TSConfigReader } = await import("typedoc");
  const { createReader } = await import("./checker.js");
  const entries = entryPoints();
  const app = await Application.bootstrap(
    {
      entryPoints: entries.map(({ file }) => file),
      tsconfig: join(PACKAGE, "tsconfig.json"),
      disableSources: true,
      disableGit: true,
      readme: "none",
      sort: ["source-order"],
      sortEntryPoints: false,
      skipErrorChecking: true, // tsc has checked them
      logLevel: "Error",
    },
    [new TSConfigReader()],
  );

  function describe(context, reader, reflection) {
    const isConstructor = reflection.kindOf(Kind.Constructor);
    const symbol = context.getSymbolFromReflection(isConstructor ? reflection.parent : reflection);
    const comment = reflection.comment ?? reflection.signatures?.[0]?.comment;
    const errors = reader.errorsOf(symbol);
    const blocks = (comment?.blockTags ?? []).map(({ tag, name, content }) => ({
      tag,
      name: tag === "@throws" ? errors.shift() : name,
      text: textOf(content),
    }));
    const names = blocks.flatMap(({ tag, name }) => (tag === "@param" && !name.includes(".") ? [name] : []));
    const summary = textOf(comment?.summary ?? []);
    const members = reflection.kindOf(Kind.ClassOrInterface) ? (reflection.children ?? []).filter(isPublic) : [];
    return {
      name: reflection.name,
      isClass: reflection.kindOf(Kind.Class) || members.some((member) => member.kindOf(Kind.Method)),
      isValue: reflection.kindOf(Kind.Class | Kind.Function | Kind.Variable),
      isConstructor,
      summary,
      blocks,
      ...reader.read(symbol, names),
      members: members.map((member) => describe(context, reader, member)),
    };
  }

  let modules;
  // earlier than TypeDoc moves each @param to its parameter, where those of options get lost
  const first = Number.MAX_SAFE_INTEGER;
  app.converter.on(
    Converter.EVENT_RESOLVE_BEGIN,
    (context) => {
      const reader = createReader(context.programs[0].getTypeChecker());
      modules = entries.map(({ name }, n) => {
        const exported = (context.project.children[n].children ?? []).map((each) => describe(context, reader, each));
        return { name, exported };
      });
      const known = new Set(modules.flatMap(({ exported }) => exported.map(({ symbol }) => symbol)));
      for (const module of modules) {
        module.hidden = reader.hidden(module.exported, known);
        for (const { symbol } of module.hidden) known.add(symbol);
      }
    },
    first,
  );
  await app.convert();
  if (modules === undefined || app.logger.hasErrors()) throw new Error("TypeDoc cannot read packages/napier");
  return modules;
}

/** docs/api: the text of each page by its path in there. */
export const apiPages = async () => pagesOf(await read());

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (existsSync(new URL("node_modules", import.meta.url))) {
    rmSync(API, { recursive: true, force: true });
    for (const [path, text] of await apiPages()) {
      mkdirSync(dirname(join(API, path)), { recursive: true });
      writeFileSync(join(API, path), text);
    }
  } else {
    process.stdout.write(
      "docs/api is left as it is: what makes it comes with npm ci --prefix outside --ignore-scripts\n",
    );
  }
}
