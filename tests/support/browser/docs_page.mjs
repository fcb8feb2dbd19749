// Opens the page /docs as a person does, and prints as one line of JSON what it shows.
// node docs_page.mjs NODE_MODULES URL WRONG_KEY KEY
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, url, wrong, key] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(createRequire(`${modules}/`).resolve(name)));
process.env.AWS_EXECUTION_ENV ??= "AWS_Lambda_nodejs20.x"; // the package then brings the libraries that Chromium needs
const chromium = (await load("@sparticuz/chromium")).default;
const puppeteer = (await load("puppeteer-core")).default;

const executablePath = await chromium.executablePath(); // unpacked into the folder for temporary files
// Chromium breaks off where it finds no font; the package looks for its own in /tmp only.
process.env.FONTCONFIG_FILE = join(tmpdir(), "only-these-fonts.conf");
writeFileSync(
  process.env.FONTCONFIG_FILE,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${tmpdir()}/fonts</dir>` +
    `<cachedir>${tmpdir()}/fonts-cache</cachedir></fontconfig>`,
);

const browser = await puppeteer.launch({
  executablePath,
  // Not the package's own arguments, which put everything into one process. Tests run as root in containers.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  headless: "shell",
});
try {
  const page = await browser.newPage();
  const errors = [];
  const loaded = new Set();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (entry) => {
    if (/Content Security Policy/.test(entry.text())) errors.push(entry.text());
  });
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
  await browser.close();
}
