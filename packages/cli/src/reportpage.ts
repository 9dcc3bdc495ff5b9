/** The page around a report's sections: nothing is loaded, and nothing runs. */
const STYLE = `
:root { color-scheme: light dark; --model: light-dark(#1f5fa8, #7db4f0); --after: light-dark(#b4500f, #f0a45f);
  --faint: light-dark(#888, #888); --heat: light-dark(#1f5fa8, #5b9be0); --on-heat: light-dark(#fff, #08121e);
  --line: light-dark(#d9dde2, #363c44); --soft: light-dark(#555b63, #a9b1bb);
  --page: light-dark(#fff, #15181c); --shade: light-dark(#0005, #fff5); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; font: 16px/1.5 system-ui, sans-serif;
  background: var(--page); color: light-dark(#1b1f24, #e6e9ed); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; margin: .4rem 0; } .soft { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
dl div { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .75rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
dd small { font-size: .8rem; color: var(--soft); display: block; }
.wide { overflow-x: auto; background: linear-gradient(to right, var(--page) 40%, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 40%, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / .7rem 100% no-repeat,
  linear-gradient(to left, var(--shade), transparent) right / .7rem 100% no-repeat; }
.chart svg { width: 100%; max-width: 27rem; } .matrix svg { max-width: none; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; } .pair figure { flex: 1 1 20rem; max-width: 27rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; } pre span { display: block; padding-left: 14ch; text-indent: -14ch; }
figure { margin: .5rem 0; max-width: 100%; } figcaption { font-size: .9rem; color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .2rem .75rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; font-size: .9rem; }
`;

export function escapeHtml(text: string | number): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (character) => names[character]!);
}

/** Cells are text. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[], tag: "td" | "th"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="wide" tabindex="0"><table><thead>${line(head, "th")}</thead><tbody>${rows.map((row) => line(row, "td")).join("\n")}</tbody></table></div>`;
}

/** `text` is HTML. */
export function section(title: string, ...text: string[]): string {
  return `<section><h2>${escapeHtml(title)}</h2>\n${text.join("\n")}\n</section>`;
}

export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
