/** @file What `npm run conformance` counts: the suite's own list, and no scenario that showed nothing. */
import { describe, expect, it } from "vitest";
import { readRequirements, scenarioOf } from "../../bench/conformance/suite.js";

const LISTING = `Required for 2026-07-28 (3 scenarios, frozen; run at the 2026-07-28 wire):

Server scenarios (test against a server):
  - server-stateless
  - tools-list

Client scenarios (test against a client):
  - tools_call

Run and reported, but never scored:
  extension (2):
    - auth/dpop [client]
    - tasks-lifecycle [server]
  pending (1):
    - http-header-validation [server]
`;

describe("the scenarios that count", () => {
  it("are those of a server that the suite lists, and beside them the extensions'", () => {
    expect(readRequirements(LISTING)).toEqual({
      required: ["server-stateless", "tools-list"],
      extensions: ["tasks-lifecycle"],
    });
  });

  it("are not guessed where the listing has none", () => {
    expect(() => readRequirements("Unknown spec revision: 2026-07-29")).toThrow('found "Unknown spec revision');
  });
});

describe("a scenario", () => {
  const success = { id: "a", status: "SUCCESS" } as const;

  it("passes where checks succeeded and nothing was amiss", () => {
    expect(scenarioOf("s", [success, { id: "b", status: "INFO" }, { id: "c", status: "SKIPPED" }])).toEqual({
      name: "s",
      outcome: "passed",
      reasons: [],
    });
  });

  it.each(["FAILURE", "WARNING"] as const)("fails with one %s, and says which", (status) => {
    const { outcome, reasons } = scenarioOf("s", [success, { id: "b", status, errorMessage: "no uri" }]);
    expect(outcome).toBe("failed");
    expect(reasons).toEqual([`${status.toLowerCase()} b: no uri`]);
  });

  it("fails where no check succeeded, and is skipped where the suite ran none", () => {
    expect(scenarioOf("s", []).outcome).toBe("failed");
    expect(scenarioOf("s", [{ id: "b", status: "INFO" }]).outcome).toBe("failed");
    expect(scenarioOf("s", [{ id: "b", status: "SKIPPED" }]).outcome).toBe("skipped");
  });
});
