// The way from the broker: one queue, its messages one behind the other, each acknowledged once its transaction is on disk.
import amqp from 'amqplib';
import { service, takeEvent, takeFence } from './rules.mjs';

const exchange = 'banyan.service.' + service;
const queue = exchange + '.1.0';
const origins = ['legacy', 'foreign', 'writeback', 'announce'];

// consume takes messages until stop is called, and connects again for ever.
export function consume(store, url) {
  let stopped = false;
  let connection;
  const running = (async () => {
    for (let failures = 0; !stopped; failures++) {
      try {
        connection = await amqp.connect(url, { noDelay: true, timeout: 5000, heartbeat: 5, clientProperties: { connection_name: service } });
        connection.on('error', (err) => console.error('the broker:', err.message));
        failures = -1;
        await session(store, connection);
      } catch (err) {
        if (!stopped) console.error('consuming was interrupted; it begins again:', err.message);
      }
      if (!stopped) await new Promise((again) => setTimeout(again, Math.min(5000, 100 * 2 ** Math.min(failures + 1, 6))));
    }
  })();
  return async () => {
    stopped = true;
    await connection?.close().catch(() => {});
    await running;
  };
}

async function session(store, connection) {
  const channel = await connection.createConfirmChannel();
  const lost = new Promise((resolve) => channel.once('close', resolve));
  channel.on('error', (err) => console.error('the channel:', err.message));
  await channel.assertExchange(exchange, 'direct', { durable: true });
  const limits = Number.parseInt(connection.connection?.serverProperties?.version ?? '0', 10) >= 4;
  await channel.assertQueue(queue, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-single-active-consumer': true, ...(limits ? { 'x-delivery-limit': -1 } : {}) },
  });
  for (let p = 0; p < 64; p++) await channel.bindQueue(queue, exchange, 'partition.' + String(p).padStart(2, '0'));
  await channel.prefetch(200);
  let before = Promise.resolve();
  await channel.consume(queue, (message) => {
    if (!message) return void channel.close(); // the queue was deleted
    before = before.then(() => take(store, channel, message));
    before.catch((err) => {
      // What nobody can read holds all behind it up: passing over it would lose a change.
      console.error('this message, and all behind it, wait:', err.message, message.content.toString().slice(0, 500));
    });
  });
  await lost;
  await before.catch(() => {});
}

async function take(store, channel, message) {
  const body = JSON.parse(message.content.toString());
  switch (message.properties.headers['cloudEvents:type']) {
    case 'dev.banyan.entity.v1':
      if (!body.entity || !body.id || !body.version || !origins.includes(body.origin) || !(body.deleted || body.data)) throw new Error('it is no entity event');
      orDie(() => takeEvent(store, body));
      break;
    case 'dev.banyan.fence.v1': {
      if (!body.id || !(body.partition >= 0 && body.partition < 64)) throw new Error('it is no fence');
      const answer = orDie(() => takeFence(store, body));
      const { replyTo, correlationId } = message.properties;
      if (replyTo) {
        channel.publish('', replyTo, Buffer.from(JSON.stringify(answer)), { correlationId, contentType: 'application/json' });
        await channel.waitForConfirms();
      }
      break;
    }
    default:
      throw new Error('its type is not known');
  }
  channel.ack(message);
}

// orDie ends the process when the store fails: whoever starts it again finds what was committed, and the broker sends the rest.
function orDie(transaction) {
  try {
    return transaction();
  } catch (err) {
    console.error('the store fails:', err);
    process.exit(1);
  }
}
