// OpenAI's client against one gateway: node client.mjs MODULES BASE_URL KEY
// Prints a line of JSON for each thing that it tries.
import {createRequire} from 'node:module';

const [modules, baseURL, apiKey] = process.argv.slice(2);
const OpenAI = createRequire(`${modules}/`)('openai');
const client = new OpenAI({baseURL, apiKey});
const print = (line) => console.log(JSON.stringify(line));
const messages = [{role: 'user', content: '4 words'}];
const tools = [{type: 'function', function: {name: 'weather', parameters: {type: 'object'}}}];

const models = [];
for await (const model of client.models.list()) models.push(model.id);
print({models});

const whole = await client.chat.completions.create({model: 'demo/support', messages});
print({whole: whole.choices[0].message.content, run: whole.slipway.run_id});

// The helper puts chunks together and checks their order.
const stream = client.chat.completions.stream({model: 'demo/support', messages, stream_options: {include_usage: true}});
const streamed = await stream.finalChatCompletion();
print({streamed: streamed.choices[0].message.content, usage: streamed.usage.total_tokens});

// The helper calls the function and sends its result.
const runner = client.chat.completions.runTools({
  model: 'demo/able',
  messages: [{role: 'user', content: 'Weather?'}],
  stream: true,
  tools: tools.map((tool) => ({
    ...tool,
    function: {...tool.function, parse: JSON.parse, function: ({city}) => `Rain in ${city}`},
  })),
});
print({tool: await runner.finalContent()});

const form = {type: 'json_schema', json_schema: {name: 'x', schema: {type: 'object'}}};
const structured = await client.chat.completions.create({model: 'demo/able', messages, response_format: form});
print({structured: JSON.parse(structured.choices[0].message.content)});

for (const [what, body] of [['model', {model: 'demo/nobody', messages}], ['n', {model: 'demo/support', messages, n: 2}]]) {
  try {
    await client.chat.completions.create(body);
  } catch (error) {
    print({refused: what, status: error.status, code: error.code, param: error.param});
  }
}
try {
  await client.responses.create({model: 'demo/support', input: '?'});
} catch (error) {
  print({refused: 'responses', status: error.status, code: error.code});
}
