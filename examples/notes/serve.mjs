// The contract in gRPC.
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { Refused, write } from './rules.mjs';

const contract = fileURLToPath(new URL('contract/', import.meta.url));

// serve serves notes, and gives the server and its port.
export async function serve(store, address) {
  const definition = await loader.load('notes/v1/notes.proto', { includeDirs: [contract], longs: String, defaults: true, arrays: true });
  const { NoteService } = grpc.loadPackageDefinition(definition).notes.v1;
  const server = new grpc.Server();
  server.addService(NoteService.service, {
    getNote: unary((call) => {
      const note = store.get('notes', call.request.id);
      if (!note) throw new Refused('NOT_FOUND', `there is no note ${call.request.id}`);
      return note;
    }),
    writeNote: unary((call) =>
      write(store, tagOf(call), () => {
        const { note } = call.request;
        if (!note?.owner) throw new Refused('INVALID_ARGUMENT', 'a note has an owner');
        return { ...note, id: 'n-' + randomUUID() };
      }),
    ),
    editNote: unary((call) =>
      write(store, tagOf(call), (tx) => {
        const note = tx.get('notes', call.request.id);
        if (!note) throw new Refused('NOT_FOUND', `there is no note ${call.request.id}`);
        return { ...note, text: call.request.text, stars: String(BigInt(note.stars) + 1n) };
      }),
    ),
  });
  const port = await new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (err, port) => (err ? reject(err) : resolve(port)));
  });
  return { server, port };
}

// tagOf gives what Banyan says of a live write; undefined of a call that is none.
function tagOf(call) {
  const [ids, epochs] = [call.metadata.get('banyan-write'), call.metadata.get('banyan-epoch')];
  if (ids.length === 0 && epochs.length === 0) return undefined;
  if (ids.length !== 1 || epochs.length !== 1 || !ids[0] || !/^\d{1,15}$/.test(epochs[0])) {
    throw new Refused('INVALID_ARGUMENT', 'a live write has one banyan-write and one banyan-epoch, a number', 'BANYAN_TAG_INVALID');
  }
  return { id: ids[0], epoch: Number(epochs[0]) };
}

// unary makes a handler of a function that gives the reply, or throws.
function unary(handle) {
  return (call, callback) => {
    try {
      callback(null, handle(call));
    } catch (err) {
      if (!(err instanceof Refused)) {
        console.error(err);
        return callback({ code: grpc.status.UNAVAILABLE, details: 'the store fails; try it again' });
      }
      const metadata = new grpc.Metadata();
      if (err.reason) metadata.set('grpc-status-details-bin', details(grpc.status[err.code], err.message, err.reason));
      callback({ code: grpc.status[err.code], details: err.message, metadata });
    }
  };
}

// details is a google.rpc.Status with an ErrorInfo, on the wire.
function details(code, message, reason) {
  const field = (n, bytes) => Buffer.concat([Buffer.from([(n << 3) | 2]), varint(bytes.length), bytes]);
  const text = (n, s) => field(n, Buffer.from(s));
  const info = Buffer.concat([text(1, reason), text(2, 'banyan')]);
  const any = Buffer.concat([text(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, info)]);
  return Buffer.concat([Buffer.from([1 << 3, code]), text(2, message), field(3, any)]);
}

function varint(n) {
  const bytes = [];
  for (; n > 127; n >>>= 7) bytes.push((n & 127) | 128);
  return Buffer.from([...bytes, n]);
}
