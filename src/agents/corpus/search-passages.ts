/** @file Search over a table of passages: by meaning, by words, or by both; the nearest, or such as also differ. */

import type { Ranked } from "./best-list.js";
import { weighedWords } from "./bm25.js";
import { candidates, checkRanking, type Query, type RankOptions } from "./exact-ranking.js";
import { maximalMarginalRelevance } from "./maximal-marginal-relevance.js";
import type { PassageTable } from "./passage-table.js";
import { reciprocalRankFusion } from "./reciprocal-rank-fusion.js";
import type { FoundBy, MmrOptions, ScoredPassage, SearchMode, SearchOptions } from "./types.js";

/** How deep the fused rankings go, as in the runs that the method was measured on; fixed, so that k cuts and changes nothing. */
const FUSED_DEPTH = 1000;
const DEFAULT_LAMBDA = 0.5;
/** Of how many passages those that differ are picked: four for each, and never so few that there is no choice. */
const FETCHED_PER_PASSAGE = 4;
const LEAST_FETCHED = 20;

/** Throws where the table is empty or an option is out of range. Lexical search gives only passages that share a word. */
export async function searchPassages(
  table: PassageTable,
  query: Query,
  { k, mode = "hybrid", mmr }: SearchOptions,
  options: RankOptions = {},
): Promise<ScoredPassage[]> {
  checkRanking(table, k);
  if (mmr !== undefined) checkMmr(mmr, k);
  const wanted = mmr === undefined ? k : (mmr.fetchK ?? Math.max(LEAST_FETCHED, FETCHED_PER_PASSAGE * k));
  const rankings = await rankingsOf(
    table,
    query,
    mode,
    mode === "hybrid" ? Math.max(FUSED_DEPTH, wanted) : wanted,
    options,
  );
  const { dense, lexical } = rankings;
  const fused = mode === "hybrid" ? reciprocalRankFusion([idsOf(dense), idsOf(lexical)]) : undefined;
  const ids = idsOf(fused ?? (mode === "dense" ? dense : lexical)).slice(0, wanted);
  const scored = new Map(table.rank(query.vector, Math.max(1, ids.length), ids).map((p) => [p.id, p]));
  const chosen = mmr === undefined ? ids : different(table, ids, scored, k, mmr);
  return chosen.map((id) => ({
    ...(scored.get(id) as ScoredPassage),
    found: foundBy(id, mode, rankings, fused?.find((entry) => entry.id === id)?.score),
  }));
}

interface Rankings {
  readonly dense: readonly Ranked[];
  readonly lexical: readonly Ranked[];
}

/** Those that the mode needs, best first, of at most `depth` passages; the other one is empty. */
async function rankingsOf(
  table: PassageTable,
  query: Query,
  mode: SearchMode,
  depth: number,
  options: RankOptions,
): Promise<Rankings> {
  const among = mode === "lexical" ? [] : await candidates(table, query, depth, options);
  return {
    dense: mode === "lexical" ? [] : table.nearest(query.vector, depth, among),
    lexical: mode === "dense" ? [] : (await table.words()).rank(weighedWords(query.text), depth),
  };
}

function foundBy(id: string, mode: SearchMode, { dense, lexical }: Rankings, fused: number | undefined): FoundBy {
  const isIt = (entry: Ranked) => entry.id === id;
  const [denseAt, lexicalAt] = [dense.findIndex(isIt), lexical.findIndex(isIt)];
  const bm25 = lexical[lexicalAt]?.score;
  return {
    mode,
    ...(denseAt >= 0 && { denseRank: denseAt + 1 }),
    ...(bm25 !== undefined && { lexicalRank: lexicalAt + 1, bm25 }),
    ...(fused !== undefined && { fused }),
  };
}

const idsOf = (ranking: readonly Ranked[]): string[] => ranking.map(({ id }) => id);

/** Relevance is the cosine similarity in every mode: fused scores lie too close together to be weighed against a similarity. */
function different(
  table: PassageTable,
  ids: readonly string[],
  scored: ReadonlyMap<string, ScoredPassage>,
  k: number,
  { lambda = DEFAULT_LAMBDA }: MmrOptions,
): string[] {
  const fitting = ids.map((id) => ({
    id,
    vector: table.vectorOf(id) ?? new Float32Array(table.dimensions),
    relevance: scored.get(id)?.score ?? 0,
  }));
  return maximalMarginalRelevance(fitting, k, lambda);
}

function checkMmr({ lambda = DEFAULT_LAMBDA, fetchK }: MmrOptions, k: number): void {
  if (!(lambda >= 0 && lambda <= 1)) throw new Error(`mmr lambda is ${lambda}: expected a number from 0 to 1`);
  if (fetchK !== undefined && (!Number.isInteger(fetchK) || fetchK < k)) {
    throw new Error(`mmr fetchK is ${fetchK}: expected a whole number of at least k, which is ${k}`);
  }
}
