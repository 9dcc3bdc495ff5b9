import type { Pool } from "../pool.ts";
import type { MiniBatchOptions } from "./batchoptions.ts";
import type { Labels } from "./labels.ts";
import type { Feature, Label, Matrix } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Reducer } from "./reducer.ts";
import type { Scaling } from "./scale.ts";
import type { Score } from "./score.ts";
import type { Source } from "./source.ts";
import type { CheckpointStore } from "./store.ts";

/** The rows to train on: in memory, or read block by block. */
export type FitData<L extends Label = Label> =
  | {
      /** [rows, features] */
      x: Matrix;
      /** The class of each row. */
      y: Labels<L>;
      /** How much each row counts, from 0; all alike by default. */
      sampleWeight?: readonly number[] | Float32Array | Float64Array | undefined;
      source?: undefined;
    }
  | {
      /** Read again for every pass; mini-batches need its `block` method. */
      source: Source<L>;
      x?: undefined;
      y?: undefined;
      sampleWeight?: undefined;
    };

export interface CheckpointOptions {
  /** Where the last two checkpoints are kept, for one training at a time; `diskStore` of napier/node has them on disk. */
  store: CheckpointStore;
  /** Seconds between two saves, 30 by default; one more is made at the end, and one when `signal` aborts. */
  every?: number;
}

export interface FitSettings<L extends Label = Label> extends MiniBatchOptions {
  /** Widths of the hidden layers; [] (the default) is a linear model. */
  hidden?: readonly number[];
  /** "lbfgs" (linear models only, and their default) trains to the optimum; the others by mini-batches, "adamw" by default. */
  optimizer?: "lbfgs" | "adamw" | "adam" | "sgd";
  /** A fraction of the rows in (0, 1), or rows of their own. */
  validation?: number | { x: Matrix; y: Labels<L> } | Source<L>;
  /** What a row of a class counts, by its label, 1 where it is not named; "balanced": rows / (classes · rows of the class). */
  classWeight?: "balanced" | Readonly<Record<string, number>>;
  /** Where training begins; same classes and layers. */
  warmStart?: Model<L>;
  /** How features are scaled, by what the training rows show; "standard" by default. */
  scale?: Scaling["kind"];
  /** An integer from 0 to 2^32 − 1, 0 by default. */
  seed?: number;
  /** Names for the model; the sizes add up to the columns of x. One feature "x" by default. */
  features?: readonly Feature[];
  /** Threads to train on, from `createPool`; steps too small to gain stay on the caller's. */
  pool?: Pool;
  /**
   * Other processes that train the same model: each calls `fit` with the same options and rows, reads its own share of the
   * rows, and gets the model that one process alone would have made, bit by bit. A source needs `rows` and `block`. An error of
   * one rank is told on that rank: end the process, so that the others end. Only rank 0 writes checkpoints.
   */
  reducer?: Reducer;
  /** Saves all that training needs to go on, between two batches or iterations. */
  checkpoint?: CheckpointOptions;
  /**
   * Goes on from the newest good checkpoint, or begins where there is none, and gives the very bits of a training that was
   * never interrupted. Options and data must be those that it began with; `maxIterations`, `patience` and, at a
   * constant rate, `epochs` may grow, `tolerance` may shrink. false by default: checkpoints of another training are an error then.
   */
  resume?: boolean;
  /** Aborts: the promise rejects with the signal's reason, after a checkpoint. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;

  /** lbfgs: the inverse strength of the penalty ‖W‖² / (2·C·Σ weights), as scikit-learn's; 1 by default, Infinity for none. */
  C?: number;
  /**
   * lbfgs: it ends where no entry of the gradient is above tolerance·objective (with 10^-3 times the entropy of the classes'
   * shares at least as the objective); 1e-6 by default. scikit-learn's `tol`, 1e-4 by default, bounds the same entries without
   * the factor: at an objective of 0.25 it is a tolerance of 4e-4.
   */
  tolerance?: number;
  /** lbfgs: 1000 by default. */
  maxIterations?: number;

  /** 15 by default. */
  epochs?: number;
  /** Rows of a step, 128 by default. */
  batchSize?: number;
  /** "naive-f32" and "naive-f16" are the textbook formula in that arithmetic, and die as it does; for demonstrations only. */
  loss?: "cross-entropy" | "naive-f32" | "naive-f16";
  /** Milliseconds from one reported step to the next at least, 100 by default; 0 reports every step. */
  reportEvery?: number;
}

export type FitOptions<L extends Label = Label> = FitData<L> & FitSettings<L>;

/** Steps are reported at most every `reportEvery` ms, and the first one whose loss is not finite. */
export type Progress =
  | {
      /** of `resume`, once, before all others */
      kind: "resume";
      /** whether there was a checkpoint to go on from; otherwise training begins */
      found: boolean;
      /** checkpoints that were refused, and why */
      notes: readonly string[];
      /** epochs or iterations that were done before */
      done: number;
      /** the epoch with the least validation NLL of these */
      best?: { epoch: number; validation: Score };
      /** the model so far */
      model: () => Model;
    }
  | {
      kind: "step";
      /** 1 to epochs */
      epoch: number;
      epochs: number;
      /** rows done in this epoch, of `rows` */
      row: number;
      rows: number;
      /** mean over the rows done in this epoch */
      loss: number;
      /** of this step */
      gradientNorm: number;
      maxLogit: number;
    }
  | {
      kind: "epoch";
      epoch: number;
      epochs: number;
      /** mean over the epoch's steps, while the weights changed */
      train: Score;
      validation?: Score;
      /** of this epoch, validation included; after `resume`, of the rest of it */
      seconds: number;
      /** whether no epoch before had a lower validation NLL; without validation, always */
      best: boolean;
      /** the best model so far */
      model: () => Model;
    }
  | {
      /** of lbfgs */
      kind: "iteration";
      iteration: number;
      maxIterations: number;
      /** mean NLL and penalty */
      objective: number;
      /** the largest entry of its gradient, and where training ends */
      gradientNorm: number;
      tolerance: number;
      /** since training began, or went on */
      seconds: number;
      /** the model so far */
      model: () => Model;
    }
  | {
      /** of lbfgs, once, at the end */
      kind: "end";
      iterations: number;
      objective: number;
      gradientNorm: number;
      /** whether the gradient is as small as `tolerance` asks */
      converged: boolean;
      /** of the model, its weights rounded to f32 */
      validation?: Score;
      seconds: number;
      model: () => Model;
    };
