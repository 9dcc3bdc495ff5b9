/** The pages of the reference: one for each function and class, one for each entry point's types, and an index. */

const MADE = "Made by outside/api.js (npm run gen) from the docstrings of packages/napier. Do not edit.";
const LABELS = /(?:^|(?<=[.;])\s+|\n)(?=(?:Edges|Accuracy|Cost|Source): )/;
const WIDTH = 120;

const folderOf = (module) => module.slice(module.lastIndexOf("/") + 1);
const fence = (language, text) => `\`\`\`${language}\n${text}\n\`\`\``;
const paragraphs = (text) => text.split(/\n\s*\n/).filter((part) => part.trim() !== "");

/** Prose to Markdown: names that have a page become links, `<` is no tag. */
function prose(text, link) {
  const pieces = text
    .trim()
    .replace(/\s*\n\s*/g, " ")
    .split(/(`[^`]*`)/);
  return pieces
    .map((piece) => {
      if (piece.startsWith("`")) {
        const target = link(piece.slice(1, -1));
        return target === undefined ? piece : `[${piece}](${target})`;
      }
      return piece.replaceAll("<", "\\<").replace(/(?<![\w./])[a-z]+[A-Z]\w*/g, (name) => {
        const target = link(name);
        return target === undefined ? name : `[${name}](${target})`;
      });
    })
    .join("");
}

/** What stands before and after the tags: formulas are indented, `Edges:` and its like begin a paragraph. */
function remarks(text, link) {
  return paragraphs(text)
    .map((part) => {
      const lines = part.split("\n");
      if (lines.every((line) => line.startsWith("  ")))
        return fence("text", lines.map((line) => line.slice(2)).join("\n"));
      const pieces = part.split(LABELS).filter((piece) => piece.trim() !== "");
      return pieces
        .map((piece) => prose(piece, link).replace(/^(Edges|Accuracy|Cost|Source): /, "**$1** "))
        .join("\n\n");
    })
    .join("\n\n");
}

function signatureText(name, { generics, parameters, returns }) {
  const line = `${name}${generics}(${parameters.join(", ")}): ${returns}`;
  return line.length <= WIDTH
    ? line
    : `${name}${generics}(\n${parameters.map((each) => `  ${each},\n`).join("")}): ${returns}`;
}

const listed = (title, points) => (points.length === 0 ? [] : [`**${title}**\n\n${points.join("\n")}`]);

/** Signatures, arguments, result, errors, edges and example of what can be called. */
function callable({ name, summary, blocks, signatures, options, isConstructor }, link) {
  const own = (text) => prose(paragraphs(text)[0] ?? "", link);
  const of = (tag) => blocks.filter((block) => block.tag === tag);
  const parameters = of("@param");
  const documented = new Map(parameters.map((block) => [block.name, own(block.text)]));
  const optionPoints = options.map((option) => {
    const text = documented.get(`options.${option.name}`) ?? prose(option.text, link);
    return `  - \`${option.name}${option.isOptional ? "?" : ""}: ${option.type.replace(/\s+/g, " ")}\`${text === "" ? "" : `: ${text}`}`;
  });
  const points = parameters
    .filter((block) => !block.name.includes("."))
    .map((block) => `- \`${block.name}\`: ${own(block.text)}`);
  if (optionPoints.length > 0 && !documented.has("options")) points.push("- `options`");
  const after = blocks.flatMap(({ tag, text }) => (tag === "@example" ? [] : paragraphs(text).slice(1)));
  return [
    remarks(summary, link),
    fence(
      "ts",
      signatures
        .map((each) => signatureText(isConstructor ? `new ${each.returns.replace(/<.*/, "")}` : name, each))
        .join("\n"),
    ),
    ...listed("Arguments", [...points, ...optionPoints]),
    ...of("@returns").map(({ text }) => `**Returns** ${own(text)}`),
    ...listed(
      "Throws",
      of("@throws").map((block) => `- \`${block.name}\`: ${own(block.text)}`),
    ),
    remarks(after.join("\n\n"), link),
    ...of("@example").map(({ text }) => `**Example**\n\n${text.replace(/^```ts/, "```js")}`),
  ].filter((part) => part !== "");
}

function classPage(item, link) {
  const { members } = item;
  const properties = members.filter(({ signatures }) => signatures.length === 0);
  const parts = [
    remarks(item.summary, link),
    ...listed(
      "Properties",
      properties.map(
        ({ name, type, summary }) => `- \`${name}: ${type}\`${summary === "" ? "" : `: ${prose(summary, link)}`}`,
      ),
    ),
  ];
  for (const member of members.filter(({ signatures }) => signatures.length > 0)) {
    const plain = member.summary === "" ? link(member.name) : undefined;
    const isPromise = member.signatures.every(({ returns }) => returns.startsWith("Promise<"));
    parts.push(`## ${member.name}`);
    if (plain === undefined) parts.push(...callable(member, link));
    else parts.push(`As [${member.name}](${plain})${isPromise ? ", but a promise of its result" : ""}.`);
  }
  return parts;
}

function typesPage({ exported, hidden }, link) {
  const section = (level, { name, summary, source }) => [
    `${level} ${name}`,
    ...(summary === "" ? [] : [remarks(summary, link)]),
    fence("ts", source),
  ];
  return [
    ...exported.flatMap((item) => section("##", item)),
    ...(hidden.length === 0 ? [] : [`## Not exported\n\nNamed by signatures.`]),
    ...hidden.flatMap((item) => section("###", item)),
  ];
}

/** The text of each page by its path. */
export function pagesOf(modules) {
  const pages = new Map();
  const hasPage = (item) => item.isValue || item.isClass;
  const put = (path, title, parts) => pages.set(path, `<!-- ${MADE} -->\n\n# ${title}\n\n${parts.join("\n\n")}\n`);
  const index = ["What `napier` exports."];
  for (const module of modules.filter(({ exported }) => exported.length > 0)) {
    const folder = folderOf(module.name);
    const owners = [module, modules[0]];
    const items = module.exported.filter(hasPage);
    const types = module.exported.filter((item) => !hasPage(item));
    /** From a page in this folder. */
    const linkFrom = (self) => (name) => {
      const owner = owners.find(({ exported }) => exported.some((item) => item.name === name && hasPage(item)));
      if (owner === undefined || (owner === module && name === self)) return undefined;
      return owner === module ? `${name}.md` : `../${folderOf(owner.name)}/${name}.md`;
    };
    const lines = [];
    for (const item of items) {
      const link = linkFrom(item.name);
      const { name, isClass, isValue } = item;
      const how = fence("ts", `import ${isValue ? "" : "type "}{ ${name} } from "${module.name}";`);
      put(`${folder}/${name}.md`, name, [how, ...(isClass ? classPage(item, link) : callable(item, link))]);
      const [sentence] = /^.*?(?=\.(\s|$)|:\n|\n\n|$)/s.exec(item.summary);
      lines.push(`- [${name}](${folder}/${name}.md): ${prose(sentence, () => undefined)}`);
    }
    if (types.length + module.hidden.length > 0) {
      put(`${folder}/types.md`, `Types of ${module.name}`, typesPage({ ...module, exported: types }, linkFrom("")));
      lines.push(`- [types](${folder}/types.md): ${types.map(({ name }) => name).join(", ")}`);
    }
    index.push(`## ${module.name}`, lines.join("\n"));
  }
  put("README.md", "The reference", index);
  return pages;
}
