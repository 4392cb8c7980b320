/** @file What pairs are shown: search, round, rule. */
import type { PairFilter } from "./pair-filter.js";

interface Props {
  readonly filter: PairFilter;
  readonly choices: { readonly rounds: readonly string[]; readonly rules: readonly string[] };
  onChange(filter: PairFilter): void;
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly values: readonly string[];
  onChange(value: string): void;
}

function Choice({ label, value, values, onChange }: ChoiceProps) {
  if (values.length < 2 && value === "") return null;
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">any</option>
        {values.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

export function PairFilterForm({ filter, choices, onChange }: Props) {
  return (
    <search class="pair-filter" aria-label="Pairs">
      <label class="search">
        <span>Search pairs</span>
        <input
          type="search"
          value={filter.text}
          placeholder="words, topic, passage"
          onInput={(event) => onChange({ ...filter, text: event.currentTarget.value })}
        />
      </label>
      <Choice
        label="Round"
        value={filter.round}
        values={choices.rounds}
        onChange={(round) => onChange({ ...filter, round })}
      />
      <Choice
        label="Rejected by"
        value={filter.rule}
        values={choices.rules}
        onChange={(rule) => onChange({ ...filter, rule })}
      />
    </search>
  );
}
