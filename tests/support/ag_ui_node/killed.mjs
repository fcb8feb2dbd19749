// AG-UI's client while a pod dies: node killed.mjs MODULES AGENTS_URL
// Prints what it shows at the end, and what it had shown when text became void.
import {createRequire} from 'node:module';

const [modules, url] = process.argv.slice(2);
const {HttpAgent} = createRequire(`${modules}/`)('@ag-ui/client');
const said = (messages) => messages.filter(({role}) => role === 'assistant').map(({content}) => content ?? '');
const agent = new HttpAgent({url: `${url}/support/ag-ui`, threadId: 'thread'});
let voided = '';
agent.subscribe({onMessagesSnapshotEvent: ({messages}) => void (voided = said(messages).join(''))});
agent.addMessage({id: 'message', role: 'user', content: 'say 60 words'});
await agent.runAgent();
console.log(JSON.stringify({said: said(agent.messages), voided}));
