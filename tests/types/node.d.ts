// What rows.ts uses of Node.js, so that no further package is needed.

declare module "node:assert" {
  export const strict: {
    ok(value: unknown, message?: string): asserts value
    equal(actual: unknown, expected: unknown, message?: string): void
    deepEqual(actual: unknown, expected: unknown, message?: string): void
  }
}

declare module "node:fs" {
  export function readFileSync(path: number, encoding: "utf8"): string
}
