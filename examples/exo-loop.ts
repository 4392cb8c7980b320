// The second phase of PRefLexOR (Buehler 2024, arXiv 2410.12375), independent reasoning: EXO on the answers alone, against
// the model as the first phase left it. The first phase comes before, shortened. Run it from a clone after `npm ci`:
//   npm run example -- exo-loop                         the package's small model on examples/corpus, a few steps
//   npm run example -- exo-loop <model> <texts> <out>   a checkpoint directory or hub id, a folder of texts, a folder for what is trained
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createActiveTrainer,
  createLexicalJudge,
  ingest,
  loadExtractiveTeacher,
  openModel,
  openPassageStore,
  readConfig,
} from "preflexor";

const config = readConfig();
const [model = config.model, texts = "examples/corpus", out = await mkdtemp(join(tmpdir(), "exo-loop-"))] =
  process.argv.slice(2);
const iterations = 2;
const prompts = ["Why is nacre much tougher than aragonite?"];

const student = await openModel({ ...config, model }, 7);
const store = await openPassageStore({ collection: "texts", dataDir: out, chroma: "off" });
const shared = {
  topics: ["nacre", "spider silk", "bone", "wood", "bamboo", "tendon", "enamel", "keratin"],
  max_prompt_length: 192,
  max_length: 512,
  max_new_tokens: 96,
  demo_tokens: 64,
};
try {
  await ingest(texts, store);
  const context = { ...student, store, teacher: await loadExtractiveTeacher(), judge: createLexicalJudge() };

  const first = await createActiveTrainer({
    ...context,
    settings: { ...shared, loss_type: "orpo", learning_rate: 1e-3, n_steps: 8 },
  });
  console.log("phase 1, ORPO");
  console.table((await first.train()).slice(-1), ["step", "loss", "rewards/margins"]);
  await first.close();

  // A trainer begins with fresh moments, and its reference is the model as it stands here.
  const trainer = await createActiveTrainer({
    ...context,
    settings: {
      ...shared,
      loss_type: "exo_pair",
      beta: 0.1,
      label_smoothing: 5e-3,
      learning_rate: 1e-4,
      // Thinking is the model's own affair: only what follows it is compared.
      dynamic_answer_comparison: true,
      only_include_wrong_answers: true,
      n_steps: 4,
    },
    callbacks: [{ onFailure: ({ topic, reason }) => console.log(`left out (${topic}): ${reason}`) }],
  });

  await trainer.updateDataset();
  for (let iteration = 1; iteration <= iterations; iteration++) {
    console.log(`\nphase 2, EXO, iteration ${iteration}: ${trainer.dataset.length} pairs`);
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
