// node main.mjs: a service of notes. NOTES_LISTEN, NOTES_FILE and BANYAN_BROKER_URL say where.
import grpc from '@grpc/grpc-js';
import { consume } from './consume.mjs';
import { serve } from './serve.mjs';
import { Store } from './store.mjs';
import { sweep } from './rules.mjs';

const broker = process.env.BANYAN_BROKER_URL;
if (!broker) {
  console.error('BANYAN_BROKER_URL is missing: where is RabbitMQ? Such as amqp://guest:guest@127.0.0.1/');
  process.exit(2);
}
grpc.setLogVerbosity(grpc.logVerbosity.ERROR);
const store = new Store(process.env.NOTES_FILE || 'notes.journal');
const address = process.env.NOTES_LISTEN || '127.0.0.1:9300';
const { server, port } = await serve(store, address);
const stop = consume(store, broker);
const sweeping = setInterval(() => sweep(store), 600_000);
console.log(JSON.stringify({ grpc: address.replace(/:\d+$/, ':' + port) }));

let ending = false;
async function end() {
  if (ending) return;
  ending = true;
  clearInterval(sweeping);
  const late = setTimeout(() => server.forceShutdown(), 5000);
  await Promise.all([stop(), new Promise((done) => server.tryShutdown(done))]);
  clearTimeout(late);
  store.close();
}
process.on('SIGTERM', end);
process.on('SIGINT', end);
