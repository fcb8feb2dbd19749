// Opens the page /docs as a person does, and prints as one line of JSON what it shows.
// node docs_page.mjs NODE_MODULES URL WRONG_KEY KEY
import { open } from "./chromium.mjs";

const [modules, url, wrong, key] = process.argv.slice(2);
const { page, errors, close } = await open(modules);
try {
  const loaded = new Set();
  page.on("request", (request) => loaded.add(new URL(request.url()).origin));

  await page.goto(`${url}/docs`);
  await page.waitForSelector("#key-form:not([hidden])");
  const submit = async (text) => {
    await page.$eval("#key", (input) => { input.value = ""; });
    await page.type("#key", text);
    await page.click("#key-form button");
  };
  await submit(wrong);
  await page.waitForFunction(() => document.getElementById("message").textContent.includes("key"));
  const refused = await page.$eval("#message", (output) => output.textContent);
  await submit(key);
  await page.waitForSelector(".opblock");
  const operations = await page.$$eval(".opblock", (blocks) =>
    blocks.map((block) => [
      block.querySelector(".opblock-summary-method").textContent,
      block.querySelector(".opblock-summary-path").dataset.path,
    ]),
  );

  const listed = await page.evaluateHandle(() =>
    [...document.querySelectorAll(".opblock-get")].find(
      (block) => block.querySelector(".opblock-summary-path").dataset.path === "/agents",
    ),
  );
  const press = async (selector) => {
    await page.waitForFunction((block, what) => block.querySelector(what), {}, listed, selector);
    await listed.$eval(selector, (button) => button.click());
  };
  await press(".opblock-summary-control");
  await press(".try-out__btn");
  await press(".execute");
  await page.waitForFunction((block) => block.querySelector(".live-responses-table .response"), {}, listed);
  const answer = await listed.$eval(".live-responses-table .response", (row) => ({
    status: row.querySelector(".response-col_status").textContent,
    body: row.querySelector(".response-col_description .highlight-code code").textContent,
  }));
  const formShown = await page.$eval("#key-form", (form) => !form.hidden);
  console.log(JSON.stringify({ refused, operations, answer, formShown, errors, loaded: [...loaded] }));
} finally {
  await close();
}
