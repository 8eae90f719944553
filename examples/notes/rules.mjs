// The rules of docs/consuming.md: what an event, a fence and a write do, each in one transaction of the store.
import { readNote } from './note.mjs';

export const service = process.env.NOTES_SERVICE || 'notes';
export const capability = process.env.NOTES_CAPABILITY || 'notes';

const hour = 3600_000;
const retention = 7 * 24 * hour;
const mostParked = 1000;

// hear keeps that a message has come. Writes grow old only while messages do: of what lies between two, an hour counts.
function hear(tx) {
  const now = Date.now();
  const heard = tx.get('state', 'heard');
  if (heard && now < heard.at + 60_000) return;
  tx.put('state', 'heard', { at: now, silent: heard ? heard.silent + Math.max(0, now - heard.at - hour) : 0 });
}

function clock(tx) {
  const heard = tx.get('state', 'heard') || { at: Date.now(), silent: 0 };
  return Math.min(Date.now(), heard.at + hour) - heard.silent;
}

// takeEvent does what an entity event asks for.
export function takeEvent(store, event) {
  return store.transaction((tx) => {
    hear(tx);
    const id = event.entity + '/' + event.id;
    const have = tx.get('entities', id) || { key: '', version: '', event: '' };
    if (event.version <= have.version) return 'no news';
    const announced = event.origin === 'announce';
    if (event.event && event.event === have.event && !announced) {
      tx.put('entities', id, { ...have, version: event.version });
      retry(tx, supersede(tx, event));
      return 'no news';
    }
    const key = event.key || have.key;
    const freed = announced ? supersede(tx, event) : undefined;
    if (!announced) {
      for (const p of parkedOf(tx)) {
        if (p.key === key || (p.event.entity === event.entity && p.event.id === event.id)) {
          park(tx, p.key, event, 'an earlier event of its key is parked');
          return 'parked';
        }
      }
    }
    const why = bring(tx, event, have, key);
    if (why) {
      park(tx, freed ?? key, event, why);
      return 'parked: ' + why;
    }
    retry(tx, freed);
    return 'applied';
  });
}

// bring applies an event that nothing is in the way of, or says why it can't.
function bring(tx, event, have, key) {
  const row = { key, version: event.version, event: event.event, deleted: !!event.deleted };
  if (event.origin === 'writeback') {
    tx.put('entities', event.entity + '/' + event.id, { ...row, event: have.event, local: have.local, by: have.by });
    return;
  }
  if (event.origin === 'foreign' && have.local !== undefined) return 'conflict: the service has written it itself';
  if (event.entity !== 'notes.v1.Note') return `this service keeps notes, and no ${event.entity}`;
  if (event.deleted) {
    tx.remove('notes', event.id);
  } else {
    const { note, wrong } = readNote(event.data);
    if (wrong) return wrong;
    if (note.id !== event.id) return `the event of note ${event.id} has note ${note.id}`;
    tx.put('notes', event.id, note);
  }
  tx.put('entities', event.entity + '/' + event.id, row);
}

// parkedOf gives parked events in their order.
function parkedOf(tx) {
  return [...tx.all('parked').values()].sort((a, b) => a.number - b.number);
}

function park(tx, key, event, reason) {
  if (parkedOf(tx).some((p) => p.event.entity === event.entity && p.event.id === event.id && p.event.version === event.version)) return;
  const number = (tx.get('state', 'parked') || 0) + 1;
  tx.put('state', 'parked', number);
  tx.put('parked', String(number), { number, key, event, reason });
  console.error(`parked under the key ${JSON.stringify(key)}: ${event.entity} ${event.id}, version ${event.version}: ${reason}`);
}

// supersede takes an entity's parked events away that are not newer, and gives their key.
function supersede(tx, event) {
  let key;
  for (const p of parkedOf(tx)) {
    if (p.event.entity !== event.entity || p.event.id !== event.id) continue;
    key = p.key;
    if (p.event.version <= event.version) tx.remove('parked', String(p.number));
  }
  return key;
}

// retry applies a key's parked events in their order, until one can't be.
function retry(tx, key) {
  if (key === undefined) return;
  for (const p of parkedOf(tx)) {
    if (p.key !== key) continue;
    const have = tx.get('entities', p.event.entity + '/' + p.event.id) || { key: '', version: '', event: '' };
    if (p.event.version > have.version && bring(tx, p.event, have, p.event.key || have.key)) return;
    tx.remove('parked', String(p.number));
  }
}

// takeFence does what a copy of a fence asks for, and gives the answer.
export function takeFence(store, fence) {
  const answer = { fence: fence.id, service, partitions: [fence.partition], parked: [], more: false, committed: {}, error: '' };
  if (fence.service && fence.service !== service) {
    answer.error = `this is the service ${service}, and the fence is for ${fence.service}`;
    return answer;
  }
  store.transaction((tx) => {
    hear(tx);
    if (fence.epoch > (tx.get('epochs', fence.capability) || 0)) tx.put('epochs', fence.capability, fence.epoch);
    if (fence.back) back(tx, fence);
    for (const id of fence.void || []) {
      const write = tx.get('writes', id);
      if (!write) continue;
      answer.committed[id] = [write.entity];
      tx.put('writes', id, { ...write, at: clock(tx) }); // the answer may be lost
    }
    const keys = [...new Set(parkedOf(tx).map((p) => p.key))];
    answer.more = keys.length > mostParked;
    answer.parked = keys.slice(0, mostParked);
  });
  return answer;
}

// back forgets what the service has written itself, with the last of a fence's 64 copies.
function back(tx, fence) {
  const id = [fence.capability, fence.epoch, fence.id].join('\n');
  const copies = new Set(tx.get('backs', id) || []).add(fence.partition);
  tx.put('backs', id, [...copies]);
  if (copies.size < 64) return;
  const held = new Set(parkedOf(tx).map((p) => p.event.entity + '/' + p.event.id));
  for (const [entity, row] of tx.all('entities')) {
    if (row.by === fence.capability && row.local < fence.epoch && !held.has(entity)) tx.put('entities', entity, { ...row, local: undefined });
  }
  for (const other of tx.all('backs').keys()) {
    const [of, epoch] = other.split('\n');
    if (of === fence.capability && Number(epoch) <= fence.epoch) tx.remove('backs', other);
  }
}

// Refused is an error that the caller sees.
export class Refused extends Error {
  constructor(code, message, reason) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

// write does a write once: body gets a transaction, and gives the note as it is then. Without a tag it is the service's own affair.
export function write(store, tag, body) {
  return store.transaction((tx) => {
    const known = tag && tx.get('writes', tag.id);
    if (known) return known.reply;
    const epoch = tx.get('epochs', capability) || 0;
    if (tag && tag.epoch < epoch) {
      throw new Refused('FAILED_PRECONDITION', `the write was decided under version ${tag.epoch}, and version ${epoch} has passed; decide it anew`, 'BANYAN_EPOCH_PASSED');
    }
    const note = body(tx);
    tx.put('notes', note.id, note);
    const entity = 'notes.v1.Note/' + note.id;
    const have = tx.get('entities', entity) || { version: '', event: '' };
    tx.put('entities', entity, { ...have, key: note.owner, local: tag ? tag.epoch : epoch, by: capability, deleted: false });
    if (tag) tx.put('writes', tag.id, { reply: note, entity: note.id, epoch: tag.epoch, capability, at: clock(tx) });
    return note;
  });
}

// sweep forgets writes that are too old to be asked for.
export function sweep(store) {
  store.transaction((tx) => {
    const oldest = clock(tx) - retention;
    for (const [id, w] of tx.all('writes')) if (w.at < oldest) tx.remove('writes', id);
  });
}
