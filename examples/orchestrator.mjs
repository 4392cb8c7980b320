// A whole self-teaching run by an agent: it ingests a corpus, asks held-out questions, makes pairs on several topics, trains,
// asks again, and decides whether to go on. Run it from a clone after `npm ci && npm run build`:
//   node examples/orchestrator.mjs                                        offline; a program plans, no language model
//   node examples/orchestrator.mjs openai:gpt-4.1-mini                    any chat model that calls tools, with its key set
//   node examples/orchestrator.mjs openai:qwen3@http://127.0.0.1:8080/v1  any OpenAI-compatible server
// Options: --rounds 2 --pairs 32 --steps 16 --questions 3 --json. Text of your own, for the model in PREFLEXOR_MODEL:
//   node examples/orchestrator.mjs builtin --corpus examples/corpus --topic nacre --topic "gecko adhesion" --ask "Why is nacre tough?"
// What is made and trained stays in PREFLEXOR_HOME where that is set, and is removed otherwise.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createMaterialsWorld, openChatModel } from "preflexor";
import { createPlanner, langChainTools, orchestrate } from "preflexor/langchain";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    corpus: { type: "string" },
    topic: { type: "string", multiple: true, default: [] },
    ask: { type: "string", multiple: true, default: [] },
    questions: { type: "string", default: "3" },
    rounds: { type: "string", default: "2" },
    pairs: { type: "string", default: "32" },
    steps: { type: "string", default: "16" },
    json: { type: "boolean", default: false },
  },
});
const [spec = "builtin"] = positionals;
const say = (text) => (values.json ? console.error(text) : console.log(text));

/** The world that models/nano was made for. Its held-out questions can be marked; the agent sees neither marks nor answers. */
const world = values.corpus === undefined ? createMaterialsWorld({ seed: 7 }) : undefined;
const heldOut = world?.questions("unseen-combination").slice(0, Number(values.questions)) ?? [];

const kept = process.env.PREFLEXOR_HOME;
const home = kept ?? (await mkdtemp(join(tmpdir(), "preflexor-example-")));
const settings = Object.entries(process.env).filter(([name]) => name.startsWith("PREFLEXOR_"));
const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("stopped; the steps taken are kept")));

const { model, close: closeModel } = await openChatModel(spec, {
  role: "agent",
  builtin: async () => createPlanner(),
  onNotice: say,
});
const { tools, close } = await langChainTools({ env: { ...Object.fromEntries(settings), PREFLEXOR_HOME: home } });
try {
  const report = await orchestrate(
    {
      corpus: values.corpus === undefined ? "materials-world" : resolve(values.corpus),
      questions: [...heldOut.map(({ text }) => text), ...values.ask],
      topics: values.topic,
      rounds: Number(values.rounds),
      pairsPerRound: Number(values.pairs),
      stepsPerTraining: Number(values.steps),
    },
    { model, tools, signal: abort.signal, onEvent: show },
  );
  const right = (which) =>
    heldOut.filter((q, i) => world.check(q, report.answers[i][which]?.answer ?? "").right).length;
  const marks = world && { right: { before: right("before"), after: right("after"), of: heldOut.length } };
  if (values.json) console.log(JSON.stringify({ ...report, ...marks }));
  else summarise(report, marks);
} finally {
  await Promise.allSettled([close(), closeModel()]);
  if (kept === undefined) await rm(home, { recursive: true, force: true });
}

function show(event) {
  if (event.kind === "turn" && event.why) say(`- ${event.why}`);
  if (event.kind === "call") say(`  ${event.name} ${JSON.stringify(event.args)}`);
  if (event.kind === "result" && !event.record.ok) say(`  failed: ${event.record.error}`);
}

function summarise(report, marks) {
  console.log(`\nplanned by: ${report.planner}`);
  console.log(`pairs: ${report.pairs.made}; steps: ${report.steps}`);
  for (const { lossType, steps, loss } of report.trainings)
    console.log(`  ${lossType}, ${steps} steps: loss ${loss.first.toFixed(2)} → ${loss.last.toFixed(2)}`);
  for (const { question, before, after } of report.answers) {
    console.log(`${question}\n  before: ${before?.answer || "no answer"}\n  after:  ${after?.answer || "no answer"}`);
  }
  if (marks)
    console.log(`right: ${marks.right.before} → ${marks.right.after} of ${marks.right.of}, by the world's checker`);
  console.log(`verdict: ${report.verdict}. ${report.reason}`);
}
