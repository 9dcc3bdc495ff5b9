import { WIDE_KERNELS } from "./kernels/widebytes.ts";
import { Family } from "./wasm.ts";

/** What is computed in f64 whatever comes in; only the operations that use it load it. */
export const wide: Family = /* @__PURE__ */ new Family(WIDE_KERNELS);
