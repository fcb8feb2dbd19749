// Opens the dashboard of the plugin agent-metrics, and prints as one line of JSON what it shows.
// node dashboard.mjs NODE_MODULES URL SCREENSHOT
import { open } from "./chromium.mjs";

const [modules, url, screenshot] = process.argv.slice(2);
const { page, errors, close } = await open(modules);
try {
  await page.setViewport({ width: 1100, height: 900 });
  await page.goto(url);
  await page.waitForSelector("main section svg rect");
  const plots = await page.$$eval("main section", (sections) =>
    sections.map((section) => ({
      title: section.querySelector("h2").textContent,
      texts: [...section.querySelectorAll("text")].map((text) => text.textContent),
      bars: [...section.querySelectorAll("rect")].map((bar) => Number(bar.getAttribute("width"))),
      points: section.querySelector("polyline")?.getAttribute("points") ?? "",
    })),
  );
  await page.screenshot({ path: screenshot });
  console.log(JSON.stringify({ plots, errors }));
} finally {
  await close();
}
