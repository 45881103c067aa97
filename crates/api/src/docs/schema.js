// JSON Schemas in a few words.

/** The thing that a `$ref` means, or the thing itself. */
export function resolve(document, thing) {
  if (!thing?.$ref) return thing;
  const steps = thing.$ref.slice(2).split('/');
  return steps.reduce((found, step) => found?.[step.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}

const list = (value) => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** `integer 1 to 5`, `text of 1 to 80 characters`, `open | closed`. */
export function inWords(document, given) {
  const schema = resolve(document, given) ?? {};
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map((option) => inWords(document, option)).join(' or ');
  if (schema.enum) return schema.enum.map((value) => (value === null ? 'null' : String(value))).join(' | ');
  const kinds = list(schema.type).map((type) => (type === 'string' ? schema.format ?? 'text' : type));
  const words = [kinds.length ? kinds.join(' or ') : 'anything'];
  if (list(schema.type).includes('array')) words.push(`of ${inWords(document, schema.items)}`);
  if (schema.minLength || schema.maxLength !== undefined) {
    words.push(`of ${range(schema.minLength, schema.maxLength)} characters`);
  }
  const low = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : `above ${schema.exclusiveMinimum}`);
  const high = schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : `below ${schema.exclusiveMaximum}`);
  // The bounds of the types themselves say nothing new.
  if (!(Math.abs(low) > 32_767 && Math.abs(high) > 32_766) && (low !== undefined || high !== undefined)) {
    words.push(range(low, high));
  }
  if (schema.pattern) words.push(`like ${schema.pattern}`);
  return words.join(' ');
}

function range(low, high) {
  if (low === undefined) return `at most ${high}`;
  if (high === undefined) return `at least ${low}`;
  return low === high ? String(low) : `${low} to ${high}`;
}

/** Rows of name, words and remarks for the fields of an object. */
export function fields(document, given) {
  const schema = resolve(document, given) ?? {};
  const one = schema.properties ? schema : (schema.oneOf ?? schema.anyOf ?? []).map((s) => resolve(document, s)).find((s) => s?.properties);
  return Object.entries(one?.properties ?? {}).map(([name, field]) => ({
    name,
    required: (one.required ?? []).includes(name),
    words: inWords(document, field),
    remark: [resolve(document, field)?.readOnly ? 'set by the database.' : '', resolve(document, field)?.description ?? ''].join(' ').trim(),
  }));
}
