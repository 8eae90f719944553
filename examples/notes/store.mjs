// What the service keeps, in memory, and on disk as a journal of transactions: a line each, in JSON, written and synced before
// anybody is told. A line that a crash has cut off counts as never written. One process has the file.
import fs from 'node:fs';
import { dirname } from 'node:path';

const tables = ['notes', 'entities', 'epochs', 'writes', 'parked', 'backs', 'state'];

export class Store {
  #data = Object.fromEntries(tables.map((t) => [t, new Map()]));
  #file;
  #failed;

  constructor(path) {
    const text = fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '';
    for (const line of text.split('\n').slice(0, -1)) this.#apply(JSON.parse(line));
    // What was there is written anew, without what was overwritten.
    const whole = [];
    for (const t of tables) for (const [key, value] of this.#data[t]) whole.push([t, key, value]);
    this.#file = fs.openSync(path + '.new', 'w');
    if (whole.length > 0) this.#write(whole);
    fs.fsyncSync(this.#file);
    fs.renameSync(path + '.new', path);
    const directory = fs.openSync(dirname(path)); // a name is only safe when its directory is
    fs.fsyncSync(directory);
    fs.closeSync(directory);
  }

  // transaction runs body, which must not wait for anything, and keeps all of what it has put and removed, or nothing.
  transaction(body) {
    if (this.#failed) throw new Error('the store has failed, and is to be opened again', { cause: this.#failed });
    const changes = new Map();
    const tx = {
      get: (table, key) => {
        const changed = changes.get(table + '\n' + key);
        return changed ? changed[2] : this.#data[table].get(key);
      },
      put: (table, key, value) => changes.set(table + '\n' + key, [table, key, value]),
      remove: (table, key) => changes.set(table + '\n' + key, [table, key]),
      all: (table) => {
        const merged = new Map(this.#data[table]);
        for (const [t, key, value] of changes.values()) if (t === table) value === undefined ? merged.delete(key) : merged.set(key, value);
        return merged;
      },
    };
    const result = body(tx);
    if (changes.size > 0) {
      const list = [...changes.values()];
      try {
        this.#write(list);
        fs.fdatasyncSync(this.#file);
      } catch (err) {
        // Part of the line may be there, and the next one must not come behind that; nor is it known what the disk has.
        this.#failed = err;
        throw err;
      }
      this.#apply(list);
    }
    return result;
  }

  get(table, key) {
    return this.#data[table].get(key);
  }

  close() {
    fs.closeSync(this.#file);
  }

  #write(changes) {
    const line = Buffer.from(JSON.stringify(changes) + '\n');
    for (let done = 0; done < line.length; ) done += fs.writeSync(this.#file, line, done);
  }

  #apply(changes) {
    for (const [table, key, value] of changes) value === undefined ? this.#data[table].delete(key) : this.#data[table].set(key, value);
  }
}
