// Types held against each other, by the compiler alone.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles when both types are the same. */
export function same<A, B>(_: Equal<A, B>): void {}
