import { LINEAR_KERNELS } from "./kernels/linearbytes.ts";
import { Family } from "./wasm.ts";

/** Linear layers and their training; a bundle without them has none of it. */
export const linear: Family = /* @__PURE__ */ new Family(LINEAR_KERNELS);
