import { FUSED_KERNELS } from "./kernels/fusedbytes.ts";
import { Family } from "./wasm.ts";

/** Losses straight from a linear layer; only the operations that use it load it. */
export const fused: Family = /* @__PURE__ */ new Family(FUSED_KERNELS);
