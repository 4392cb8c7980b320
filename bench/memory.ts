/** @file Holds the memory estimate against the engine's real peak, for several lengths, with and without checkpointing. */
import { estimateTrainingMemory } from "../dist/trainer/run/memory-estimate.js";
import { benchModel, benchPairs } from "./model.js";
import { parseOptions } from "./options.js";
import { ourRun, policyOptions } from "./ours.js";

/** Tokens of prompt and of each answer. */
const LENGTHS = [
  [16, 16],
  [64, 64],
  [256, 256],
] as const;

/** Largest difference, as a share of the real peak, that the estimate may have. */
const TOLERANCE = 0.2;

export async function memoryBench(args: readonly string[]): Promise<void> {
  const given = parseOptions(["--steps", "1", ...args]);
  const model = await benchModel(given.model);
  const cases = [];
  for (const gradientCheckpointing of [false, true]) {
    for (const [promptTokens, answerTokens] of LENGTHS) {
      const options = { ...given, gradientCheckpointing, promptTokens, answerTokens };
      const pairs = benchPairs(1, model.vocabulary, promptTokens, answerTokens);
      const time = promptTokens + 2 * answerTokens;
      const row = { time, labels: time, pairs: 1 };
      const { oneRow, largestMaxTokens } = await estimateTrainingMemory(
        policyOptions(model, options),
        options.loss,
        row,
      );
      const { engineRssMb } = await ourRun(model, pairs, options);
      const parts = Object.fromEntries(
        Object.entries(oneRow).map(([name, bytes]) => [name, Math.round(bytes / 2 ** 20)]),
      );
      const difference = Number((oneRow.total / 2 ** 20 / engineRssMb - 1).toFixed(3));
      cases.push({
        time,
        gradientCheckpointing,
        realMb: Math.round(engineRssMb),
        difference,
        ...parts,
        largestMaxTokens,
      });
      process.stderr.write(`${JSON.stringify(cases.at(-1))}\n`);
    }
  }
  const worst = Math.max(...cases.map(({ difference }) => Math.abs(difference)));
  process.stdout.write(
    `${JSON.stringify({ model: model.name, tolerance: TOLERANCE, worst, holds: worst <= TOLERANCE, cases })}\n`,
  );
}
