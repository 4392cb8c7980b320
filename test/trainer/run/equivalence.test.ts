/** @file One trajectory, whichever way it is computed: the plain way in the test, and everything that does less work. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRng } from "../../../src/agents/rng.js";
import type { Graph } from "../../../src/trainer/graph/index.js";
import type { TrainableSpec } from "../../../src/trainer/model/index.js";
import { collate } from "../../../src/trainer/run/collate.js";
import { openPolicy } from "../../../src/trainer/run/index.js";
import { initialTheta } from "../../../src/trainer/run/initial-theta.js";
import type { PairScore, StepOptions, TrainBatch } from "../../../src/trainer/run/policy.js";
import { trainProgram } from "../../../src/trainer/run/programs.js";
import type { Program } from "../../../src/trainer/runtime/session.js";
import type { LabelledTokens } from "../../../src/trainer/text/types.js";
import { goldenFolder } from "../../support/golden.js";
import { plainTrainProgram } from "../../support/plain-program.js";
import { plainRows } from "../../support/plain-rows.js";
import { GOLDEN_LORA, relativeError } from "../../support/program-runner.js";
import { PlainBuilder } from "../../support/recompute.js";
import {
  type Layout,
  openProgram,
  openSource,
  packed,
  type Run,
  type Source,
  type Step,
  scoresOf,
  trajectory,
} from "../../support/trajectory.js";

const STEPS = 4;
const FULL: TrainableSpec = { kind: "full" };

const rng = createRng(17);
const draw = (length: number): Int32Array => Int32Array.from({ length }, () => 3 + rng.int(80));
/** The first `masked` tokens of a reply are not compared. */
const reply = (length: number, masked = 0) => ({
  ids: draw(length),
  labels: Uint8Array.from({ length }, (_, i) => Number(i >= masked)),
});
const batch: TrainBatch = {
  pairs: [
    [12, 20, 31, 0],
    [25, 9, 14, 4],
    [3, 40, 6, 2],
    [18, 22, 22, 9],
    [7, 5, 3, 0],
  ].map(([p, c, r, masked]) => ({
    prompt: draw(p as number),
    chosen: reply(c as number, masked as number),
    rejected: reply(r as number, Math.min(masked as number, (r as number) - 1)),
  })),
  texts: [reply(33), reply(6, 2)],
};

const STEP = {
  learningRate: 2e-3,
  maxGradNorm: 1,
  textWeight: 0.5,
  maxTokens: 4096,
} as const;
const LOSSES: readonly StepOptions[] = [
  { ...STEP, loss: "orpo", beta: 0.3, weightDecay: 0, nllOver: "prompt+chosen" },
  { ...STEP, loss: "exo_pair", beta: 0.2, weightDecay: 0, nllOver: "chosen", labelSmoothing: 1e-3 },
];

/** One item a row and a row a micro-batch: nothing is packed, replies still share their prompt. */
const itemByItem: Layout = ({ pairs, texts }, weights) => [
  ...pairs.map((pair, i) => ({
    ...(collate([pair], [], weights, 4096)[0] as ReturnType<typeof collate>[number]),
    pairs: [i],
  })),
  ...texts.flatMap((text) => collate([], [text], weights, 4096)),
];

describe.each([
  ["gqa-untied", "LoRA", GOLDEN_LORA],
  ["gqa-untied", "all weights", FULL],
  ["tied-llama3", "all weights", FULL],
] as const)("%s, %s", (name, _what, trainable) => {
  describe.each(LOSSES)("$loss", (options) => {
    const { loss } = options;
    const { model, adapter } = goldenFolder(name);
    const isLora = trainable.kind === "lora";
    const opened: Program[] = [];
    let source: Source;
    let reference: Float32Array;
    let precomputed: readonly PairScore[];
    let plain: Program;
    let program: Program;
    let expected: readonly Step[];

    const open = async (graph: Graph, threads = 1): Promise<Program> => {
      const made = await openProgram(source, graph, threads);
      opened.push(made);
      return made;
    };
    const take = (run: Run, of = batch): Promise<Step[]> =>
      trajectory(source, of, options, { reference: async () => precomputed, ...run }, STEPS);

    beforeAll(async () => {
      source = await openSource(model, trainable, isLora ? adapter : undefined);
      const fresh = await initialTheta(source.checkpoint, source.layout, trainable, 0);
      reference = isLora ? fresh : fresh.map((x) => 1.03 * x);
      precomputed = await scoresOf(source, reference, batch.pairs, batch.pairs.length);
      plain = await open(plainTrainProgram(source, loss, {}, new PlainBuilder()).graph);
      program = await open(trainProgram(source, loss));
      expected = await take({ program: plain, layOut: plainRows(99) });
    });
    afterAll(async () => {
      for (const made of opened) await made.dispose();
    });

    function expectSame(found: readonly Step[]): void {
      expect(found).toHaveLength(STEPS);
      found.forEach((step, i) => {
        const { loss: value, gradient } = expected[i] as Step;
        expect(Math.abs(step.loss - value), `loss of step ${i + 1}`).toBeLessThan(1e-5);
        expect(relativeError(step.gradient, gradient), `gradient of step ${i + 1}`).toBeLessThan(1e-4);
      });
    }

    it("changes from step to step, so that a wrong gradient would show", () => {
      for (let i = 1; i < STEPS; i += 1) {
        const [before, after] = [expected[i - 1] as Step, expected[i] as Step];
        expect(Math.abs(after.loss - before.loss)).toBeGreaterThan(1e-3);
        expect(relativeError(after.gradient, before.gradient)).toBeGreaterThan(1e-2);
      }
    });

    it("plain, an item at a time, gradients added up over the step", async () => {
      expectSame(await take({ program: plain, layOut: plainRows(1) }));
    });

    it("with the chunked head, rows still plain", async () => {
      expectSame(await take({ program, layOut: plainRows(99) }));
    });

    it("with prompts shared, an item a row", async () => {
      expectSame(await take({ program, layOut: itemByItem }));
    });

    it.each([4096, 300, 1])("with prompts shared and rows packed, at most %d tokens a micro-batch", async (tokens) => {
      expectSame(await take({ program, layOut: packed(tokens) }));
    });

    it("with layers computed again in backward: the same bits as without", async () => {
      const again = await open(trainProgram(source, loss, { gradientCheckpointing: true }));
      const found = await take({ program: again, layOut: packed(4096) });
      expectSame(found);
      expect(bitsOf(found)).toEqual(bitsOf(await take({ program, layOut: packed(4096) })));
    });

    it("with two threads: the same bits", async () => {
      const two = await open(trainProgram(source, loss), 2);
      const found = await take({ program: two, layOut: packed(4096) });
      expect(bitsOf(found)).toEqual(bitsOf(await take({ program, layOut: packed(4096) })));
    });

    it("with more tokens behind a reply that no label covers", async () => {
      // ORPO's NLL reads all of chosen, labelled or not.
      const pairs = batch.pairs.map((pair) => ({
        ...pair,
        chosen: loss === "orpo" ? pair.chosen : unlabelledEnd(pair.chosen),
        rejected: unlabelledEnd(pair.rejected),
      }));
      expectSame(await take({ program, layOut: packed(4096) }, { ...batch, pairs }));
    });

    if (loss === "exo_pair") {
      it("with the reference computed anew at each step, pair by pair", async () => {
        let asked = 0;
        const anew = async () => {
          asked += 1;
          return scoresOf(source, reference, batch.pairs, 1);
        };
        expectSame(await take({ program, layOut: packed(4096), reference: anew }));
        expect(asked).toBe(STEPS);
      });
    }

    if (isLora) {
      it("in the engine, with the bare base as the reference", async () => {
        const policy = await openPolicy({ model, trainable, seed: 3, threads: 1, device: "cpu" });
        try {
          await policy.loadAdapter(adapter);
          const scores = await policy.scorePairs(batch.pairs, { weights: "base" });
          for (const step of expected) {
            const metrics = await policy.trainStep({ ...batch, reference: scores }, { ...options, maxTokens: 300 });
            expect(Math.abs((metrics["loss"] ?? Number.NaN) - step.loss)).toBeLessThan(1e-5);
            const norm = Math.hypot(...step.gradient);
            expect(Math.abs((metrics["grad_norm"] ?? Number.NaN) - norm)).toBeLessThan(1e-4 * norm);
          }
        } finally {
          await policy.close();
        }
      });
    }
  });
});

/** A hash of each step's gradient and weights; comparing the numbers one by one takes longer than the steps. */
const bitsOf = (steps: readonly Step[]): string[] =>
  steps.map(({ loss, gradient, theta }) =>
    createHash("sha256")
      .update(String(loss))
      .update(new Uint8Array(gradient.buffer, gradient.byteOffset, gradient.byteLength))
      .update(new Uint8Array(theta.buffer, theta.byteOffset, theta.byteLength))
      .digest("hex"),
  );

/** Three more tokens at the end of a reply that are not labelled. */
const unlabelledEnd = ({ ids, labels }: LabelledTokens): LabelledTokens => ({
  ids: Int32Array.from([...ids, 5, 6, 7]),
  labels: Uint8Array.from([...labels, 0, 0, 0]),
});
