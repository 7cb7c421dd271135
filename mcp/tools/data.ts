const MAX_CHARACTERS = 200_000;
const MAX_LEVELS = 10;
/** Keys that reach into an object's prototype in careless code further on. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether free-form JSON is small and flat enough to pass on, and free of keys that have a meaning to JavaScript. */
export function isAcceptableData(data: unknown): boolean {
  return isFlatAndClean(data, MAX_LEVELS) && JSON.stringify(data).length <= MAX_CHARACTERS;
}

function isFlatAndClean(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  return Object.entries(value).every(
    ([key, child]) => !FORBIDDEN_KEYS.has(key) && isFlatAndClean(child, levels - 1),
  );
}
