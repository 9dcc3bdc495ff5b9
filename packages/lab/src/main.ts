import { mountBreak } from "./break/index.ts";
import { mountCheck } from "./check/index.ts";
import { byId } from "./dom.ts";
import { mountTrain } from "./train/index.ts";

mountBreak(byId("break-it"));
mountTrain(byId("train-it"));
mountCheck(byId("check-it"));

// what stands behind the # is the state of the experiments: a link to a section must not take its place
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href^="#"]') : null;
  const target = link && document.getElementById(link.getAttribute("href")!.slice(1));
  if (!target) return;
  event.preventDefault();
  if (link.dataset.preset) byId(`preset-${link.dataset.preset}`).click();
  if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
});
