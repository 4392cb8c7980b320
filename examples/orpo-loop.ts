// The first phase of PRefLexOR (Buehler 2024, arXiv 2410.12375), structured thought integration, as its notebook runs it:
// a trainer whose data set is asked of your texts, and answered by the model as it is now. Run it from a clone after `npm ci`:
//   npm run example -- orpo-loop                         the package's small model on examples/corpus, a few steps
//   npm run example -- orpo-loop <model> <texts> <out>   a checkpoint directory or hub id, a folder of texts, a folder for what is trained
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createActiveTrainer, ingest, loadExtractiveTeacher, openModel, openPassageStore, readConfig } from "preflexor";

const config = readConfig();
const [model = config.model, texts = "examples/corpus", out = await mkdtemp(join(tmpdir(), "orpo-loop-"))] =
  process.argv.slice(2);
const iterations = 2;
const prompts = ["Why is nacre much tougher than aragonite?"];

const student = await openModel({ ...config, model }, 7);
const store = await openPassageStore({ collection: "texts", dataDir: out, chroma: "off" });
try {
  console.log(await ingest(texts, store));
  const trainer = await createActiveTrainer({
    ...student,
    store,
    // Quotes the texts and needs no model; any LangChain chat model with tool calls can stand here.
    teacher: await loadExtractiveTeacher(),
    settings: {
      loss_type: "orpo",
      beta: 0.1,
      learning_rate: 1e-3,
      topics: ["nacre", "spider silk", "bone", "wood", "bamboo", "tendon", "enamel", "keratin"],
      n_questions_for_each: 1,
      number_nodes_to_get: 3,
      n_steps: 4,
      max_prompt_length: 192,
      max_length: 512,
      max_new_tokens: 96,
      demo_tokens: 64,
    },
    callbacks: [{ onFailure: ({ topic, reason }) => console.log(`left out (${topic}): ${reason}`) }],
  });

  await trainer.updateDataset();
  for (let iteration = 1; iteration <= iterations; iteration++) {
    console.log(`\niteration ${iteration}: ${trainer.dataset.length} pairs`);
    console.table(await trainer.train(), ["step", "loss", "rewards/margins", "rewards/accuracies"]);
    for (const { prompt, reply } of await trainer.sample(prompts)) console.log(`${prompt}\n  ${reply}`);

    const saved = join(out, `iteration-${iteration}`);
    await trainer.saveModel(saved);
    await writeFile(join(saved, "log_history.json"), JSON.stringify(trainer.logHistory, null, 2));
    await writeFile(
      join(saved, "dataset.jsonl"),
      trainer.accumulated.map((pair) => `${JSON.stringify(pair)}\n`).join(""),
    );
    console.log(`saved ${saved}`);

    if (iteration < iterations) await trainer.updateDataset();
  }
  await trainer.close();
} finally {
  await store.close();
  await student.policy.close();
}
