// What every family's module exports.
/** First byte that the module does not use itself. */
export const heap: usize = __heap_base;
export { scratch_bytes, use_scratch } from "./scratch.as";
