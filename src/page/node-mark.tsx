/** @file The shape of a node, outside the drawing. */
import { LOOKS, type Look } from "./node-kinds.js";

export function NodeMark({ look }: { readonly look: Look }) {
  const { path, hollow } = LOOKS[look];
  return (
    <svg
      viewBox="0 0 18 18"
      width="14"
      height="14"
      aria-hidden="true"
      class={`node-mark ${look}`}
      data-hollow={hollow === true}
    >
      <path d={path} />
    </svg>
  );
}
