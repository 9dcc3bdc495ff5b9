import { launched } from "@napier/mpi";
import { Command, Option } from "commander";
import { resumeCommand } from "./checkpoint.ts";
import { inputError } from "./errors.ts";
import {
  classWeights,
  count,
  names,
  notNegative,
  port,
  positive,
  positiveInteger,
  seed,
  threads,
  validation,
  widths,
} from "./options.ts";
import { beQuiet } from "./quiet.ts";
import { VERSION } from "./version.ts";

const SOURCES = `
A source is a path or a glob of .csv, .tsv, .parquet, .jsonl, .ndjson or .json files (text also as .gz), "sql:SELECT …",
or a matrix of shape [rows, features] as .npy or .safetensors (also as .gz), whose labels are in a file of their own:
.npy, .safetensors, or .txt with a line for each row. Quote globs and SQL.
SQL is one SELECT on the user's own files: all that the operating system lets the user read, and nothing else, no network, no
extension, no ATTACH, COPY or settings. What it reads is text in the statement: 'rows.csv', read_csv(['a.csv', 'b.csv']). A
query holds half of the machine's memory at most; NAPIER_MEMORY=16GB allows another amount. Files are regular ones, no pipes.`;

/** Each command's examples, as its help shows them. */
const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;

const EXIT_CODES = `
Exit codes:
  0    good
  1    a failure: training diverged, the disk is full
  2    wrong usage or wrong input; no file was written (predict may have printed rows before the one that is wrong)
  3    check found a broken row
  130  interrupted by Ctrl-C (143: by SIGTERM), after saving what can be saved

Results go to stdout, everything else to stderr. NO_COLOR is honoured.

Examples:
  napier train flowers.csv --target kind --out flowers.onnx
  napier evaluate flowers.onnx others.csv --target kind --report report.html
  napier predict flowers.onnx new.parquet --keep id --out predictions.parquet
  napier check logits.npy --targets labels.npy
`;

const CHECK = `
Formulas are followed step by step in the arithmetic of each format. A winner is lost where a formula gives it 0, no number,
or one more than 2 ulp off, measured against napier's own f64 logSoftmax of the row as the format holds it.
Exit codes: 0 nothing is broken; 3 a row is broken for everybody (NaN, +∞, nothing but −∞; with --log-probs a value
above 0; with --strict also a row that log(softmax(x)) or the usual formula loses in the file's own dtype, and with
--log-probs rows whose log-sum-exp is not 0 or whose winner is lost); 2 a bad file or wrong usage.
A table has a numeric column for each class, in order, or one column of lists. Rows count from 1, classes from 0.`;

const CHECKPOINTS = `

With --checkpoint, Ctrl-C and SIGTERM save first and print the command that goes on. A training that was killed and goes on
by --resume writes the very bytes of one that never was. The last two checkpoints are kept, after the end too: --resume
with more --epochs or --max-iterations, or a smaller --tolerance, goes on from there. Delete the folder when it is not needed.

Under MPI (mpirun -n 4 npx napier train 'data/*.parquet' …) the processes share the rows of Parquet files, each reads its own,
and the model is the very file that one process writes. Where a process is lost, all end with a line that says which; --resume
goes on, on any number of processes. Open MPI kills them a second after Ctrl-C: mpirun --mca odls_base_sigkill_timeout 30 …
leaves time to save.`;

/** Throws where several processes would each do the same. */
function checkAlone(command: string): void {
  const size = launched()?.size ?? 1;
  if (command === "train" || size === 1) return;
  throw inputError(
    `${command} runs in one process, got ${size}`,
    "start it without mpirun; only train shares its rows",
  );
}

/** The parser. `docs/cli.md` is made of it. */
export function program(argv: readonly string[] = []): Command {
  const napier = new Command("napier")
    .description("Train, evaluate, calibrate and run softmax classifiers; check logits.")
    .version(VERSION)
    .option("--quiet", "say nothing but results, errors, and where training did not converge")
    .option("--debug", "show the stack of an error")
    .addHelpText("after", EXIT_CODES)
    .hook("preAction", (command, action) => {
      if (command.opts().quiet) beQuiet();
      checkAlone(action.name());
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(text.replace(/^\((Did you mean .*)\)$/m, (_, did) => `hint: ${did.toLowerCase()}`)),
    });

  napier
    .command("train")
    .description("train a classifier and write it as ONNX")
    .argument("<source>", "the training rows")
    .option("--target <column>", "the column to predict")
    .option("--labels <file>", "the labels of a matrix")
    .option("--features <columns>", "only these columns are features, with commas between them", names)
    .option("--exclude <columns>", "columns that are no features", names)
    .option("--keep <columns>", "columns that are features though they would be left out", names)
    .option("--dry-run", "read everything, say what is understood, and stop")
    .option(
      "--validation <source or fraction>",
      "rows to judge the model by; with mini-batches they choose the best epoch",
      validation,
    )
    .option("--validation-labels <file>", "the labels of a matrix of such rows")
    .option("--hidden <widths>", "widths of hidden layers, as in 128,64 (default: none, a linear model)", widths)
    .addOption(
      new Option("--optimizer <name>", "lbfgs trains a linear model to its optimum (default), adamw an MLP").choices([
        "lbfgs",
        "adamw",
        "adam",
        "sgd",
      ]),
    )
    .option("--weight <column>", "how much each row counts, from 0")
    .option("--class-weight <weights>", "balanced, or label=weight with commas between them", classWeights)
    .option("--C <c>", "lbfgs: inverse strength of the L2 penalty, as scikit-learn's (default: 1)", positive)
    .option("--tolerance <t>", "lbfgs: ends where the gradient is as small (default: 0.000001)", notNegative)
    .option("--max-iterations <n>", "lbfgs: ends after as many (default: 1000)", count)
    .option("--epochs <n>", "mini-batches: passes over the training rows (default: 15)", positiveInteger)
    .option("--batch-size <n>", "mini-batches: rows of a step (default: 128)", positiveInteger)
    .option("--learning-rate <r>", "mini-batches (default: 0.001, with sgd 0.01)", positive)
    .addOption(
      new Option("--schedule <kind>", "of the learning rate (default: constant)").choices(["constant", "cosine"]),
    )
    .option("--warmup <n>", "steps in which the learning rate grows from 0 (default: 0)", count)
    .option("--weight-decay <r>", "adamw (default: 0.01)", notNegative)
    .option("--l2 <r>", "adam, sgd: joins the gradient of weights (default: 0)", notNegative)
    .option("--momentum <r>", "sgd (default: 0.9)", notNegative)
    .option("--nesterov", "sgd: Nesterov's momentum")
    .option("--clip-norm <r>", "mini-batches: a step's gradient is shortened to this norm", positive)
    .option(
      "--patience <n>",
      "mini-batches: ends after as many epochs without a better validation NLL",
      positiveInteger,
    )
    .addOption(
      new Option("--scale <kind>", "how features are scaled")
        .choices(["standard", "minmax", "none"])
        .default("standard"),
    )
    .option("--seed <n>", "same seed, same bytes", seed, 0)
    .option("--threads <n>", "threads to train on; the bytes stay the same (default: all cores)", threads)
    .option(
      "--timeout <seconds>",
      "under MPI: ends where a rank is silent for so long; 0: never (default: 30)",
      notNegative,
    )
    .option("--checkpoint <folder>", "where training is saved, to go on from; made if it is missing")
    .option("--checkpoint-every <seconds>", "how often (default: 30)", notNegative)
    .option("--resume", "go on from --checkpoint, with all else as it was")
    .option("--out <file>", "where the model goes", "model.onnx")
    .option("--report <file>", "an HTML page about the model: on the rows for validation, or on its own")
    .option("--json", "print the result as one JSON object")
    .addHelpText("after", SOURCES + CHECKPOINTS)
    .addHelpText(
      "after",
      examples(
        "napier train flowers.csv --target kind --dry-run",
        "napier train flowers.csv --target kind --validation 0.1 --report report.html",
        "napier train 'data/*.parquet' --target label --hidden 128 --epochs 15 --checkpoint saves",
        "napier train embeddings.npy --labels labels.npy --class-weight balanced",
        "napier train \"sql:SELECT * FROM 'rows.parquet' WHERE age IS NOT NULL\" --target label --exclude name",
      ),
    )
    .action(async (source, options) => {
      const command = resumeCommand(argv);
      await (await import("./train.ts")).train(source, { ...options, command });
    });

  napier
    .command("evaluate")
    .description("how good a model is on labelled rows: NLL, accuracy, calibration, what it takes for what")
    .argument("<model.onnx>", "a model that train wrote")
    .argument("<source>", "rows with the model's features")
    .option("--target <column>", "the column with the true classes")
    .option("--labels <file>", "the true classes of a matrix")
    .option("--report <file>", "an HTML page with all of it: one file, which loads nothing")
    .option("--json", "print the result as one JSON object")
    .addHelpText("after", SOURCES)
    .addHelpText(
      "after",
      examples(
        "napier evaluate model.onnx test.parquet --target label",
        "napier evaluate model.onnx test.npy --labels labels.npy --report report.html",
        "napier evaluate model.onnx test.csv --target label --json",
      ),
    )
    .action(async (model, source, options) => {
      await (await import("./evaluate.ts")).evaluate(model, source, options);
    });

  napier
    .command("calibrate")
    .description("make a model's probabilities as sure as they are right, by a temperature")
    .argument("<model.onnx>", "a model that train wrote")
    .argument("<source>", "rows with the model's features that it was not trained on")
    .option("--target <column>", "the column with the true classes")
    .option("--labels <file>", "the true classes of a matrix")
    .option("--weight <column>", "how much each row counts, from 0")
    .option("--out <file>", "where the calibrated model goes (default: model.calibrated.onnx, beside model.onnx)")
    .option("--bins <n>", "bins of the reliability table and of the ECE", positiveInteger, 15)
    .option("--json", "print the result as one JSON object")
    .addHelpText("after", SOURCES)
    .addHelpText("after", examples("napier calibrate model.onnx held.csv --target label --out calibrated.onnx"))
    .action(async (model, source, options) => {
      await (await import("./calibrate.ts")).calibrate(model, source, options);
    });

  napier
    .command("predict")
    .description("the class of each row, its probability and log-probability")
    .argument("<model.onnx>", "a model that train wrote")
    .argument("<source>", "rows with the model's features")
    .option("--out <file>", "a .parquet, .csv or .jsonl file, or - for CSV on stdout", "-")
    .addOption(
      new Option("--format <format>", "what --out is (default: by its name)").choices(["parquet", "csv", "jsonl"]),
    )
    .option(
      "--keep <columns>",
      "columns of the source to write before the predictions, with commas between them",
      names,
    )
    .option("--logits", "also the logit of each class")
    .option("--force", "write over a file that is there")
    .option("--top <k>", "also the k most probable classes and their log-probabilities", positiveInteger, 1)
    .addHelpText("after", SOURCES)
    .addHelpText(
      "after",
      examples(
        "napier predict model.onnx rows.csv --keep id --out predictions.csv",
        "napier predict model.onnx rows.parquet --top 3 --logits --out predictions.parquet --force",
        "napier predict model.onnx rows.jsonl --format jsonl | head",
      ),
    )
    .action(async (model, source, options) => {
      await (await import("./predict.ts")).predict(model, source, options);
    });

  napier
    .command("inspect")
    .description("what is in an ONNX file, whoever wrote it")
    .argument("<model.onnx>", "any ONNX file")
    .option("--json", "print it as one JSON object")
    .addHelpText("after", examples("napier inspect model.onnx", "napier inspect model.onnx --json"))
    .action(async (model, options) => {
      await (await import("./inspect.ts")).inspect(model, options);
    });

  napier
    .command("check")
    .description("what is broken in logits, and what the usual formulas would break")
    .argument(
      "<logits>",
      "a .npy file of shape [rows, classes] (f2, f4 or f8), or a table with a column for each class",
    )
    .option("--targets <file or column>", "the true classes: a .npy file of integers, or a column of the table")
    .option("--exclude <columns>", "columns of the table that are no classes, with commas between them", names)
    .option("--log-probs", "the numbers are log-probabilities")
    .option("--strict", "fail also where a formula loses a row in the dtype of the file")
    .option("--list <n>", "how many broken rows of a kind are listed", count, 10)
    .option("--json", "print the findings as one JSON object")
    .addHelpText("after", CHECK)
    .addHelpText(
      "after",
      examples(
        "napier check logits.npy --targets labels.npy",
        "napier check logits.csv --targets truth --exclude id",
        "napier check log_probs.npy --log-probs --strict",
      ),
    )
    .action(async (logits, options) => {
      process.exitCode = (await (await import("./check.ts")).check(logits, options)).exitCode;
    });

  napier
    .command("lab")
    .description("a page where softmax breaks and log-softmax holds, served to this machine alone")
    .option("--port <n>", "where it listens (default: any that is free)", port, 0)
    .option("--no-open", "do not open a browser")
    .addHelpText("after", examples("napier lab", "napier lab --port 8080 --no-open"))
    .action(async (options) => {
      await (await import("./lab.ts")).lab(options);
    });
  return napier;
}
