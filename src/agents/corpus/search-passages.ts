/** @file Search over a table of passages: by meaning, by words, or by both; the nearest, or such as also differ. */

import { weighedWords } from "./bm25.js";
import { checkRanking, type Query, type RankOptions, rankPassages } from "./exact-ranking.js";
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

type Found = ReadonlyMap<string, FoundBy>;

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
  const found = await SEARCH[mode](table, query, wanted, options);
  const ids = [...found.keys()].slice(0, wanted);
  const scored = new Map(table.rank(query.vector, Math.max(1, ids.length), ids).map((p) => [p.id, p]));
  const chosen = mmr === undefined ? ids : different(table, ids, scored, k, mmr);
  return chosen.map((id) => ({ ...(scored.get(id) as ScoredPassage), found: found.get(id) as FoundBy }));
}

/** By mode: at least `wanted` ids, best first, where there are so many, with how each was found. */
const SEARCH: Readonly<
  Record<SearchMode, (table: PassageTable, query: Query, wanted: number, options: RankOptions) => Promise<Found>>
> = {
  dense: async (table, query, wanted, options) => {
    const near = await rankPassages(table, query, wanted, options);
    return new Map(near.map(({ id }, i) => [id, { mode: "dense", denseRank: i + 1 }]));
  },
  lexical: async (table, query, wanted) => {
    const sharing = table.words().rank(weighedWords(query.text), wanted);
    return new Map(sharing.map(({ id, score }, i) => [id, { mode: "lexical", lexicalRank: i + 1, bm25: score }]));
  },
  hybrid: async (table, query, wanted, options) => {
    const depth = Math.max(FUSED_DEPTH, wanted);
    const [dense, lexical] = [
      await SEARCH.dense(table, query, depth, options),
      await SEARCH.lexical(table, query, depth, options),
    ];
    const fused = reciprocalRankFusion([[...dense.keys()], [...lexical.keys()]]);
    return new Map(
      fused.map(({ id, score }) => [id, { ...dense.get(id), ...lexical.get(id), mode: "hybrid", fused: score }]),
    );
  },
};

/** Relevance is the cosine similarity in every mode: fused scores lie too close together to be weighed against a similarity. */
function different(
  table: PassageTable,
  ids: readonly string[],
  scored: ReadonlyMap<string, ScoredPassage>,
  k: number,
  { lambda = DEFAULT_LAMBDA }: MmrOptions,
): string[] {
  const candidates = ids.map((id) => ({
    id,
    vector: table.vectorOf(id) ?? new Float32Array(table.dimensions),
    relevance: scored.get(id)?.score ?? 0,
  }));
  return maximalMarginalRelevance(candidates, k, lambda);
}

function checkMmr({ lambda = DEFAULT_LAMBDA, fetchK }: MmrOptions, k: number): void {
  if (!(lambda >= 0 && lambda <= 1)) throw new Error(`mmr lambda is ${lambda}: expected a number from 0 to 1`);
  if (fetchK !== undefined && (!Number.isInteger(fetchK) || fetchK < k)) {
    throw new Error(`mmr fetchK is ${fetchK}: expected a whole number of at least k, which is ${k}`);
  }
}
