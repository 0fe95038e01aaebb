// Shows openapi.json: what one can ask, in which form, and what comes back.

const make = (tag, text = "", kind = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
};

// A schema in a few words, such as {"samples": [[[number from 0 to 255 × 28] × 28] × 1, …]}.
function words(schema, all) {
  if (schema.$ref) return words(all[schema.$ref.split("/").pop()], all);
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map((one) => words(one, all)).join("  or  ");
  if (schema.type === "array") return `[${words(schema.items, all)}${schema.maxItems ? ` × ${schema.maxItems}` : ", …"}]`;
  if (schema.title === "Row") return "{column: value, …}"; // its columns are listed further down
  if (schema.properties) return `{${Object.entries(schema.properties).map(([name, one]) => `"${name}": ${words(one, all)}`).join(", ")}}`;
  if (schema.enum ?? schema.const) return (schema.enum ?? [schema.const]).map((value) => JSON.stringify(value)).join(" or ");
  if (schema.format === "binary") return "the file's bytes";
  return schema.maximum === undefined ? schema.type ?? "…" : `${schema.type} from ${schema.minimum} to ${schema.maximum}`;
}

// A sample of zeros in the schema's shape, to try.
const zeros = (shape) => shape.reduceRight((inner, length) => Array(length).fill(inner), 0);

// A row of typical values, within quotes of a shell.
const typical = (columns) => JSON.stringify(Object.fromEntries(columns.map(({ name, typical }) => [name, typical]))).replaceAll("'", "'\\''");

function example(path, method, model) {
  const base = new URL(path.slice(1), location.href).href;
  if (method === "get") return [`curl ${base}`];
  const isImage = model.sample_shape.length === 3;
  const value = model.columns ? `"row": ${typical(model.columns)}` : `"sample": ${isImage ? "…" : JSON.stringify(zeros(model.sample_shape))}`;
  const lines = [`curl -H 'Content-Type: application/json' -d '{${value}}' ${base}`];
  if (isImage) lines.unshift(`curl -H 'Content-Type: image/png' --data-binary @picture.png ${base}`);
  return lines;
}

// What the values of a table's columns are.
function columns(model) {
  const section = make("section");
  section.append(make("h2", "The columns of a row"), make("p", "Texts are read as in the table. What isn't known is null, and other names are ignored."));
  const list = make("dl");
  for (const { name, kind, categories, low, high, typical } of model.columns)
    list.append(make("dt", name), make("dd", categories ? categories.map((text) => JSON.stringify(text)).join(", ") : `${kind} from ${low} to ${high}, such as ${typical}`));
  section.append(list);
  return section;
}

function card(path, method, operation, all, model) {
  const section = make("section");
  section.append(make("h2", `${method.toUpperCase()} ${path}`), make("p", `${operation.summary}.`));
  for (const line of example(path, method, model)) section.append(make("pre", line));
  const list = make("dl");
  for (const [kind, { schema }] of Object.entries(operation.requestBody?.content ?? {}))
    list.append(make("dt", kind), make("dd", words(schema, all)));
  for (const [status, { description, content }] of Object.entries(operation.responses)) {
    const schema = content?.["application/json"]?.schema;
    list.append(make("dt", status), make("dd", status === "200" && schema ? words(schema, all) : description));
  }
  section.append(list);
  return section;
}

try {
  const [api, model] = await Promise.all(["openapi.json", "model"].map(async (path) => (await fetch(path)).json()));
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations))
      document.getElementById("paths").append(card(path, method, operation, api.components.schemas, model));
  if (model.columns) document.getElementById("paths").append(columns(model));
  document.body.dataset.ready = "docs";
} catch (error) {
  document.getElementById("problem").hidden = false;
  document.getElementById("problem").textContent = `The description can't be shown: ${error.message}`;
  throw error;
}
