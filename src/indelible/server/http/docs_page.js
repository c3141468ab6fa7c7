// The viewer's own search looks at groups and paths alone. This one finds all words in what an operation says of itself.
const TEXTS = ["method", "path"];
const OPERATION_TEXTS = ["operationId", "summary", "description"];

function textOf(group, one) {
  const texts = [group, ...TEXTS.map((name) => one.get(name)), ...OPERATION_TEXTS.map((name) => one.getIn(["operation", name]))];
  return texts.join(" ").toLowerCase();
}

function opsFilter(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/);
  const isFound = (group) => (one) => words.every((word) => textOf(group, one).includes(word));
  return groups
    .map((found, group) => found.update("operations", (operations) => operations.filter(isFound(group))))
    .filter((found) => found.get("operations").size > 0);
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  plugins: [{ fn: { opsFilter } }],
  // Else the viewer asks a service on the internet what it thinks of the document.
  validatorUrl: null,
});
