/** @file How far an answer agrees with a reference in its words. */

/** Lower case, without punctuation and articles, as SQuAD compares answers. */
function words(text: string): string[] {
  const plain = text.toLowerCase().replace(/[^\p{L}\p{N}\s]/gu, "");
  return plain.split(/\s+/).filter((word) => word !== "" && !["a", "an", "the"].includes(word));
}

/**
 * F1 of the shared words, each counted as often as both have it, in [0, 1]: precision = shared / words of the answer, recall =
 * shared / words of the reference, F1 = 2 · shared / (both) (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1).
 */
export function tokenF1(answer: string, reference: string): number {
  const [said, wanted] = [words(answer), words(reference)];
  if (said.length + wanted.length === 0) return 1;
  const left = new Map<string, number>();
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of said) {
    const count = left.get(word) ?? 0;
    if (count > 0) shared += 1;
    left.set(word, count - 1);
  }
  return (2 * shared) / (said.length + wanted.length);
}
