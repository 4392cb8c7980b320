/** @file A text with what changed against an earlier one marked: by colour, and by underline and strike. */
import { useMemo } from "preact/hooks";
import { wordDiff } from "./word-diff.js";

export function Diffed({ before, after }: { readonly before: string; readonly after: string }) {
  const parts = useMemo(() => wordDiff(before, after), [before, after]);
  return (
    <>
      {parts.map(({ kind, text }, i) => {
        if (kind === "added") return <ins key={i}>{text}</ins>;
        if (kind === "removed") return <del key={i}>{text}</del>;
        return text;
      })}
    </>
  );
}
