// AG-UI's client against one gateway: node client.mjs MODULES AGENTS_URL
// Prints a line of JSON for each thing that it tries. Its own checks of the order of events end a run with an error.
import {createRequire} from 'node:module';

const [modules, url] = process.argv.slice(2);
const {HttpAgent} = createRequire(`${modules}/`)('@ag-ui/client');
const print = (line) => console.log(JSON.stringify(line));
const said = (agent) => agent.messages.filter(({role}) => role === 'assistant').map(({content}) => content ?? '');
let count = 0;

// An agent with a thread of its own, which keeps the types of events and the values of custom ones.
function agentOf(name) {
  const agent = new HttpAgent({url: `${url}/${name}/ag-ui`, threadId: `thread-${name}-${count++}`});
  agent.seen = [];
  agent.custom = {};
  agent.subscribe({
    onEvent: ({event}) => void agent.seen.push(event.type),
    onCustomEvent: ({event}) => void (agent.custom[event.name] = event.value),
    onRunFinishedEvent: ({event}) => void (agent.finished = event),
    onRunErrorEvent: ({event}) => void (agent.failed = event),
  });
  return agent;
}
async function ask(agent, content, parameters = {}) {
  agent.addMessage({id: `message-${count++}`, role: 'user', content});
  return agent.runAgent(parameters);
}

const talk = agentOf('support');
const first = await ask(talk, '4 words');
const second = await ask(talk, '2 words');
print({
  talk: said(talk),
  new: first.newMessages.map(({role, content}) => [role, content]),
  result: first.result.answer,
  one_session: first.result.session_id === second.result.session_id,
  custom: talk.custom,
  events: [...new Set(talk.seen)].sort(),
});

const context = agentOf('support');
await ask(context, '0 words, context', {context: [{description: 'ticket', value: '7'}]});
print({context: JSON.parse(said(context)[0])});

const parameters = {type: 'object', properties: {city: {type: 'string'}}};
const tools = [{name: 'weather', description: 'Of a city', parameters}];
const able = agentOf('able');
await ask(able, 'Weather?', {tools});
const [{id, function: called}] = able.messages.at(-1).toolCalls;
const waiting = said(able);
const pending = able.finished.outcome?.pendingToolCallIds;
able.addMessage({id: `message-${count++}`, role: 'tool', toolCallId: id, content: `Rain in ${JSON.parse(called.arguments).city}`});
await able.runAgent({tools});
print({tool: called.name, waiting, pending: pending && pending.length, named: id.startsWith('call_'), said: said(able)});

const answers = [{payload: {approved: true}}, {payload: {approved: false}}, {status: 'cancelled'}];
for (const answer of answers) {
  const asking = agentOf('support');
  await ask(asking, '2 words, ask me');
  const [interrupt] = asking.finished.outcome.interrupts;
  let refused = null;
  try {
    await ask(asking, '1 words');
  } catch (error) {
    refused = error.status ?? error.message;
    asking.messages.pop();
  }
  await asking.runAgent({resume: [{interruptId: interrupt.id, status: 'resolved', ...answer}]});
  const {id, expiresAt, ...rest} = interrupt;
  print({interrupt: rest, expires: !Number.isNaN(Date.parse(expiresAt)), refused: refused !== null, said: said(asking)});
}

const picture = agentOf('able');
const value = Buffer.from('\x89PNG\r\n\x1a\nrest', 'latin1').toString('base64');
await ask(picture, [{type: 'text', text: 'What is this?'}, {type: 'image', source: {type: 'data', value, mimeType: 'image/png'}}]);
print({picture: said(picture)});

for (const [name, content] of [['support', 'fail, please'], ['nobody', '?'], ['support', ' ']]) {
  const failing = agentOf(name);
  let thrown = null;
  try {
    await ask(failing, content);
  } catch (error) {
    thrown = {status: error.status ?? null, reason: error.payload?.reason ?? null};
  }
  print({failing: name, thrown, code: failing.failed?.code ?? null});
}
