// What a client offers, by its own type declarations: so a method that a new version brings cannot be overlooked.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DECLARATIONS = fileURLToPath(
  new URL('node_modules/@supabase/postgrest-js/dist/index.d.mts', import.meta.url),
);

// Errors are what is answered, not what is asked with.
const BUILDERS = [
  'PostgrestClient', 'PostgrestQueryBuilder', 'PostgrestFilterBuilder', 'PostgrestTransformBuilder', 'PostgrestBuilder',
];

/** `Class.method` of every public one, sorted. Where a builder only narrows the type of a method, that of its parent counts. */
export function methods() {
  const source = readFileSync(DECLARATIONS, 'utf8');
  const found = new Set();
  // A class ends with the brace of its body; braces of the types in its head are followed by more.
  for (const [, name, body] of source.matchAll(/^declare (?:abstract )?class (\w+)([^]*?)^\}$/gm)) {
    if (!BUILDERS.includes(name)) continue;
    for (const [, method] of body.matchAll(/^ {2}(\w+)(?:<[^]*?>)?\(/gm)) {
      if (method !== 'constructor') found.add(`${name}.${method}`);
    }
  }
  const narrowed = [
    'PostgrestFilterBuilder.throwOnError', 'PostgrestTransformBuilder.throwOnError', 'PostgrestTransformBuilder.returns',
  ];
  return [...found].filter((method) => !narrowed.includes(method)).sort();
}
