/** @file What a run has asked so far, as the question graph that steers what is asked next. */
import type { PreferencePair } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import { QuestionGraph } from "../question-graph/index.js";
import type { MadePair } from "./round-pairs.js";

export class AskedQuestions {
  /** Of the held-out pairs: never asked again, and no part of what steers the draws. */
  private readonly setAside = QuestionGraph.fromPassages([]);

  private constructor(
    readonly graph: QuestionGraph,
    private readonly passages: ReadonlyMap<string, Passage>,
    private changed: boolean,
  ) {}

  /** Goes on with a graph that was kept, or begins one. Passages that have come since are added. */
  static over(passages: readonly Passage[], kept?: unknown): AskedQuestions {
    const byId = new Map(passages.map((passage) => [passage.id, passage]));
    if (kept === undefined) return new AskedQuestions(QuestionGraph.fromPassages(passages), byId, true);
    const graph = QuestionGraph.fromJSON(kept);
    return new AskedQuestions(graph, byId, graph.addPassages(passages) > 0);
  }

  /** Contexts for questions, chosen by what was asked and how it was answered; each of up to `k` passages. */
  draws(count: number, k: number, seed: number): readonly (readonly Passage[])[] {
    const draws = this.graph.nextDraws({ count, k, seed, only: new Set(this.passages.keys()) });
    return draws.map(({ passages }) => passages.flatMap((id) => this.passages.get(id) ?? []));
  }

  /** Holds questions out: asked in other words they would be trained on. */
  holdOut(pairs: readonly PreferencePair[]): void {
    for (const { prompt, provenance } of pairs)
      this.setAside.addQuestion({ text: provenance.question ?? prompt, passages: [], round: 0 });
  }

  /** Why a question shall not be asked again; undefined where it may. */
  problem(question: string): string | undefined {
    if (this.setAside.isDuplicate(question)) return "the question is held out, in these or nearly these words";
    return this.graph.isDuplicate(question)
      ? "the question was asked before, in these or nearly these words"
      : undefined;
  }

  /** The pairs of a round become questions of the graph, with what the student made of them. */
  recordMade(made: readonly MadePair[], round: number): void {
    for (const { pair, askedFrom } of made) {
      const { question = pair.prompt, topic, phase, passages } = pair.provenance;
      const known = askedFrom.filter((id) => this.passages.has(id));
      const id = this.graph.addQuestion({
        text: question,
        passages: known,
        retrieved: passages.filter((passage) => !known.includes(passage) && this.passages.has(passage)),
        round,
        ...(topic !== undefined && { topic }),
        ...(phase !== undefined && { phase }),
      });
      const right = studentWasRight(pair);
      this.graph.recordOutcome(id, { round, ...(right !== undefined && { right }) });
    }
    this.changed = true;
  }

  isChanged(): boolean {
    return this.changed;
  }

  /** What `toJSON` gives is on the disk. */
  saved(): void {
    this.changed = false;
  }

  toJSON(): unknown {
    return this.graph.toJSON();
  }
}

/** By the checker's or the judge's verdict, where there is one. */
function studentWasRight({ provenance }: PreferencePair): boolean | undefined {
  const rejected = provenance.verdict?.["rejected"] as { readonly right?: boolean } | undefined;
  return rejected?.right;
}
