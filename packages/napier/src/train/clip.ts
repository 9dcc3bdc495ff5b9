import type { Task } from "../thread.ts";
import { NORM_BLOCK } from "./layers.ts";
import type { Network } from "./mlp.ts";

export function normBlocks({ plan }: Network): number {
  return Math.ceil(plan.length / NORM_BLOCK);
}

/** The sums of squares of the gradient's blocks `first` to before `end`. */
export function squareCalls({ at, plan }: Network, first: number, end: number): Task {
  const from = first * NORM_BLOCK;
  const count = Math.min(plan.length, end * NORM_BLOCK) - from;
  return [["square_sums_f32", [at.squares + first * 8, at.gradient + from * 4, count]]];
}

/** ‖gradient‖, after the calls of all blocks: added block by block, so it is off by a part of (blocks + 260)·2^-54 at most. */
export function normOf(network: Network): number {
  const { space, at } = network;
  const end = normBlocks(network);
  let sum = 0;
  for (let n = 0; n < end; n++) sum += space.f64[at.squares / 8 + n];
  return Math.sqrt(sum);
}

/** What the gradient is multiplied by, as PyTorch's clip_grad_norm_ has it. */
export function clipFactor(norm: number, clipNorm: number): number {
  return Math.min(1, clipNorm / (norm + 1e-6));
}
