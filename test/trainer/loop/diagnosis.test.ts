/** @file What the loop says about a training that goes wrong, and that it says nothing about one that does not. */
import { describe, expect, it } from "vitest";
import { diagnoseData, diagnoseLog } from "../../../src/trainer/loop/diagnosis.js";
import type { LogEntry } from "../../../src/trainer/loop/train-events.js";
import { configOf } from "./loop-support.js";

const config = configOf("out", { loss_type: "exo_pair" });
const log = (count: number, metrics: (i: number) => Record<string, number>): LogEntry[] =>
  Array.from({ length: count }, (_, i) => ({ epoch: i, step: i + 1, loss: 1, ...metrics(i) }));
const kinds = (history: readonly LogEntry[], said: readonly string[] = []) =>
  diagnoseLog(history, config, said).map(({ kind, step }) => `${kind} at ${step}`);

describe("a diagnosis", () => {
  it.each<[string, LogEntry[], string[]]>([
    ["healthy", log(40, (i) => ({ "logps/chosen": -100 + i, "rewards/accuracies": i % 2, "exo/vanishing": 0.1 })), []],
    ["too early", log(9, () => ({ "rewards/accuracies": 0, "exo/vanishing": 1 })), []],
    ["vanishing", log(10, () => ({ "exo/vanishing": 0.25 })), ["vanishing-exo-gradients at 10"]],
    ["falling", log(30, (i) => ({ "logps/chosen": -100 - 2 * i })), ["falling-chosen-logps at 30"]],
    ["fallen a little", log(30, (i) => ({ "logps/chosen": -100 - 0.5 * i })), []],
    ["fallen and risen", log(40, (i) => ({ "logps/chosen": -100 - 4 * Math.min(i, 60 - 2 * i) })), []],
    ["all wrong", log(12, () => ({ "rewards/accuracies": 0 })), ["accuracies-stuck at 12"]],
    ["all right", log(12, (i) => ({ "rewards/accuracies": i < 2 ? 0 : 1 })), ["accuracies-stuck at 12"]],
  ])("of a %s log", (_name, history, expected) => {
    expect(kinds(history)).toEqual(expected);
  });

  it("is given once, and looks past evaluations", () => {
    const history = log(10, () => ({ "exo/vanishing": 1 }));
    expect(kinds(history, ["vanishing-exo-gradients"])).toEqual([]);
    const evaluation: LogEntry = { epoch: 9, step: 10, eval_loss: 1, "exo/vanishing": 0 };
    expect(kinds([...history, evaluation])).toEqual(["vanishing-exo-gradients at 10"]);
  });

  it("of data counts what is notable", () => {
    const left = Array.from({ length: 2 }, (_, i) => ({ number: i, reason: "" }));
    expect(diagnoseData({ left, promptCut: 2, unmasked: 1 }, 10).map(({ kind }) => kind)).toEqual([
      "rows-left-out",
      "prompts-cut",
      "rows-without-sections",
    ]);
    expect(diagnoseData({ left: left.slice(1), promptCut: 0 }, 30)).toEqual([]);
  });
});
