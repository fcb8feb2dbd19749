// Reads /openapi.json with the key that is typed in, which stays in this page's memory, and shows it.
"use strict";

const form = document.getElementById("key-form");
const input = document.getElementById("key");
const message = document.getElementById("message");

async function show(key) {
  const headers = key ? { "X-API-Key": key } : {};
  const response = await fetch("openapi.json", { headers, cache: "no-store" });
  if (!response.ok) {
    form.hidden = false;
    return (await response.json()).detail;
  }
  form.hidden = true;
  const ui = SwaggerUIBundle({
    spec: await response.json(),
    dom_id: "#document",
    validatorUrl: null,
    onComplete: () => key && ui.preauthorizeApiKey("apiKey", key),
  });
  return "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  message.textContent = await show(input.value).catch(String);
});

show("").catch((error) => { message.textContent = String(error); form.hidden = false; });
