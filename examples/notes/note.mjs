// Notes as protobuf's JSON has them.

const readers = {
  id: text, owner: text, text,
  stars: (v) => {
    const n = typeof v === 'number' && Number.isSafeInteger(v) ? BigInt(v) : typeof v === 'string' && /^-?\d{1,19}$/.test(v) ? BigInt(v) : undefined;
    return n === undefined || n !== BigInt.asIntN(64, n) ? undefined : String(n);
  },
  tags: (v) => (Array.isArray(v) && v.every((t) => typeof t === 'string') ? v : undefined),
};

function text(v) {
  return typeof v === 'string' ? v : undefined;
}

// readNote gives a note, or what is wrong with it. A field that is not known is a reason to wait for a build that knows it.
export function readNote(data) {
  const note = { id: '', owner: '', text: '', stars: '0', tags: [] };
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return { wrong: 'the data is no note' };
  for (const [name, value] of Object.entries(data)) {
    if (!Object.hasOwn(readers, name)) return { wrong: `a note has no field ${name}` };
    if (value === null) continue;
    const read = readers[name](value);
    if (read === undefined) return { wrong: `a note's ${name} can't be ${JSON.stringify(value).slice(0, 100)}` };
    note[name] = read;
  }
  return { note };
}
