// An EventSource client that reads one URL until it is told to stop: node client.mjs MODULES URL
// Prints a line of JSON for each connection (its status) and each event (its type), and ends when it has stopped.
import {createRequire} from 'node:module';

const [modules, url] = process.argv.slice(2);
const {EventSource} = createRequire(`${modules}/`)('eventsource');
const print = (line) => console.log(JSON.stringify(line));
const source = new EventSource(url, {
  fetch: async (input, init) => {
    const response = await fetch(input, init);
    print({status: response.status, from: init.headers['Last-Event-ID'] ?? null});
    return response;
  },
});
for (const type of ['started', 'retrieved', 'delta', 'usage', 'restarted', 'done', 'failed', 'cancelled']) {
  source.addEventListener(type, (event) => print({event: type, id: event.lastEventId}));
}
source.addEventListener('error', () => {
  if (source.readyState === EventSource.CLOSED) print({stopped: true});
});
