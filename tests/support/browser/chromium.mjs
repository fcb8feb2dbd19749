// A page of a headless Chromium, and what goes wrong in it.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function open(modules) {
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
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (entry) => {
    if (/Content Security Policy/.test(entry.text())) errors.push(entry.text());
  });
  return { page, errors, close: () => browser.close() };
}
