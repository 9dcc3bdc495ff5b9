import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Matrix } from "napier/train";

/** Words and their languages, from the npm package stopwords-iso. A word of two languages is a row of each. */
export interface Words {
  words: string[];
  languages: string[];
}

const LANGUAGES = ["de", "en", "es", "fi", "fr", "it", "pl"];
export const SIZE = 512;

/** FNV-1a over the UTF-16 code units. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

function readLists(): Record<string, string[]> {
  const path = createRequire(import.meta.url).resolve("stopwords-iso/stopwords-iso.json");
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, string[]>;
}

/**
 * Six tenths of the words to train on, two to choose and calibrate by, two to test on. A word's part goes by its letters
 * alone: none is trained on in one language and tested in another.
 */
export function readWords(): Record<"training" | "validation" | "test", Words> {
  const parts = {
    training: { words: [], languages: [] } as Words,
    validation: { words: [], languages: [] } as Words,
    test: { words: [], languages: [] } as Words,
  };
  const lists = readLists();
  for (const language of LANGUAGES) {
    for (const word of lists[language]!) {
      const share = hash(`part of ${word}`) % 10;
      const part = share < 6 ? parts.training : share < 8 ? parts.validation : parts.test;
      part.words.push(word);
      part.languages.push(language);
    }
  }
  return parts;
}

/**
 * Stands in for an encoder: where you have one, call it here. Every run of one to three letters, the ends of the word
 * included, adds 1 or −1 to one of 512 numbers; the row has length 1.
 */
export function embed(words: readonly string[]): Matrix & { data: Float32Array } {
  const data = new Float32Array(words.length * SIZE);
  words.forEach((word, i) => {
    const row = data.subarray(i * SIZE, (i + 1) * SIZE);
    const text = `<${word}>`;
    for (let size = 1; size <= 3; size++) {
      for (let k = 0; k + size <= text.length; k++) {
        const h = hash(text.slice(k, k + size));
        row[h % SIZE]! += h >>> 31 ? 1 : -1;
      }
    }
    const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    for (let j = 0; j < SIZE; j++) row[j]! /= length || 1;
  });
  return { data, shape: [words.length, SIZE] };
}
