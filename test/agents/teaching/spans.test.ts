/** @file OpenTelemetry spans of the work: rounds and stages nest, agents and model calls lie within, and nothing else changes. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context as otelContext, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ingestDocuments, type PassageStore } from "../../../src/agents/corpus/index.js";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createWorldTeacher } from "../../../src/agents/models/world-teacher.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import { spanOver, withSpan } from "../../../src/trainer/index.js";
import { smallStore } from "../scripted-student.js";
import { filesOf, learningStudent, planOf, quickPairs, taught } from "./teach-support.js";

const exporter = new InMemorySpanExporter();
let store: PassageStore;
let folder: string;

function register(): void {
  otelContext.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
}

beforeAll(async () => {
  store = await smallStore();
  folder = await mkdtemp(join(tmpdir(), "spans-"));
});
afterEach(() => {
  trace.disable();
  otelContext.disable();
  exporter.reset();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const plan = planOf({ iterations: 2, topics: 4, held_out_pairs: 2, evaluate_every: 1 });
const context = (directory?: string): TeachContext => ({
  ...learningStudent((_, seed) => `guess ${seed}`),
  store,
  teacher: undefined as never,
  pairSource: quickPairs,
  ...(directory !== undefined && { directory }),
});

/** Names from the root down, such as "teach > teach round". */
function pathsOf(spans: readonly ReadableSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const path = (span: ReadableSpan): string => {
    const parent = byId.get(span.parentSpanContext?.spanId ?? "");
    return parent === undefined ? span.name : `${path(parent)} > ${span.name}`;
  };
  return spans.map(path);
}

test("a round's span holds one for each stage, and its steps are events of the training's", async () => {
  register();
  await taught(context(), plan);
  const spans = exporter.getFinishedSpans();
  const round = ["pairs", "train", "checkpoint", "evaluate"].map((stage) => `teach > teach round > teach ${stage}`);
  expect(pathsOf(spans)).toEqual([
    "teach > teach evaluate",
    ...round,
    "teach > teach round",
    ...round,
    "teach > teach round",
    "teach",
  ]);
  const training = spans.filter(({ name }) => name === "teach train");
  expect(training.map(({ events }) => events.map(({ attributes }) => attributes?.["preflexor.step"]))).toEqual([
    [1, 2],
    [3, 4],
  ]);
  const rounds = spans.filter(({ name }) => name === "teach round");
  expect(rounds.map(({ attributes }) => attributes)).toEqual(
    [1, 2].map((n) => ({ "preflexor.round": n, "preflexor.phase": "orpo", "preflexor.loss": "orpo" })),
  );
});

test("an agent's run and its requests to the model lie in the stage that makes pairs, with tokens and without a word said", async () => {
  const world = createMaterialsWorld({ seed: 3, materials: 24 });
  const own = await smallStore();
  await ingestDocuments(world.documents, own);
  register();
  const { pairSource: _, ...agents } = context();
  const taughtBy = {
    ...agents,
    store: own,
    teacher: createWorldTeacher({ allowed: world.isTrainable }),
    environment: world,
  };
  await taught(taughtBy, planOf({ iterations: 1, topics: 2, evaluate_every: 0 }));
  const spans = exporter.getFinishedSpans();
  const paths = pathsOf(spans);
  const way = /^teach > teach round > teach pairs > invoke_agent \S+ > chat \S+$/;
  expect(paths.filter((path) => way.test(path)).length).toBeGreaterThan(1);
  const chat = spans.find(({ name }) => name.startsWith("chat "));
  expect(chat?.attributes).toEqual({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": chat?.name.slice(5),
    "gen_ai.usage.input_tokens": expect.any(Number),
    "gen_ai.usage.output_tokens": expect.any(Number),
  });
});

test("the files of a run are the same, byte for byte, whether spans are recorded or not", async () => {
  const [without, recorded] = [join(folder, "without"), join(folder, "recorded")];
  await taught(context(without), plan);
  register();
  await taught(context(recorded), plan);
  expect(exporter.getFinishedSpans().length).toBeGreaterThan(0);
  expect(await filesOf(recorded)).toEqual(await filesOf(without));
});

test("a run that fails says so in every span that it was in; one that is left early ends them without an error", async () => {
  register();
  const failing = context();
  const broken = {
    ...failing,
    policy: { ...failing.policy, trainStep: () => Promise.reject(new RangeError("too hot")) },
  };
  await expect(taught(broken, plan)).rejects.toThrow("too hot");
  const failed = exporter.getFinishedSpans().filter(({ attributes }) => attributes["error.type"] === "RangeError");
  expect(failed.map(({ name }) => name)).toEqual(["teach train", "teach round", "teach"]);
  exporter.reset();
  for await (const event of teach(context(), plan)) if (event.kind === "step") break;
  const left = exporter.getFinishedSpans();
  expect(left.map(({ name }) => name).slice(-3)).toEqual(["teach train", "teach round", "teach"]);
  expect(left.filter(({ status }) => status.code !== 0)).toEqual([]);
});

test("the work of whoever takes the events is not the generator's", async () => {
  register();
  const events = spanOver("outer", {}, async function* () {
    yield 1;
    await withSpan("inside", {}, async () => {});
  });
  for await (const _ of events) await withSpan("between", {}, async () => {});
  expect(pathsOf(exporter.getFinishedSpans())).toEqual(["between", "outer > inside", "outer"]);
});
