// Shows the documents that openapi/index.json lists; the last version is shown first.
"use strict";

async function show() {
  const answer = await fetch("openapi/index.json");
  if (!answer.ok) {
    throw new Error("openapi/index.json: " + answer.status);
  }
  const { documents } = await answer.json();
  if (documents.length === 0) {
    throw new Error("the contract has no versions");
  }
  const urls = documents.map(({ name, url }) => ({ name, url: "openapi/" + url }));
  SwaggerUIBundle({
    dom_id: "#api",
    urls,
    "urls.primaryName": urls[urls.length - 1].name,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
  });
}

show().catch((failed) => {
  const text = document.createElement("p");
  text.className = "failed";
  text.textContent = "The API can't be shown: " + failed.message;
  document.body.append(text);
});
