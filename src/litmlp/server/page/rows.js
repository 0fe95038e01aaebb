// A row of a table: a field for each column, and what the answer would be with other values of one of them.
import { fieldOf } from "./fields.js";
import { whatif } from "./whatif.js";

const MANY = 12; // columns, from which on one wants to search them

export function rows({ model, changed, percent, panel, stage, hint }) {
  const fields = model.columns.map((column, index) => fieldOf(column, index, changed, chosen));
  const byName = new Map(fields.map((field) => [field.column.name, field]));
  const study = whatif({ model, percent, panel, changed, chosen, set: (name, value) => { byName.get(name).set(value); changed(); } });
  let asked = null; // what the question under way is about

  const grid = document.createElement("div");
  grid.className = "fields";
  grid.append(...fields.map((field) => field.box));
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "↺ Typical values";
  reset.addEventListener("click", () => { typical(); changed(); });
  const bar = document.createElement("div");
  bar.className = "above";
  bar.append(...(fields.length > MANY ? [search()] : []), reset);
  stage.append(bar, grid);
  hint.textContent = "An empty number is a missing one. ∿ shows what the answer would be with other values.";
  stage.before(hint);
  typical();
  choose(model.columns.find((column) => column.kind === "number") ?? model.columns[0]);

  function typical() {
    for (const field of fields) field.set(field.column.typical);
  }

  function choose(column) {
    study.choose(column);
    for (const field of fields) field.mark(field.column === column);
  }

  function chosen(column) {
    choose(column);
    changed();
  }

  function search() {
    const field = document.createElement("input");
    field.type = "search";
    field.className = "search";
    field.placeholder = field.ariaLabel = "Find a column";
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      for (const { box, column } of fields) box.hidden = !column.name.toLowerCase().includes(wanted);
    });
    return field;
  }

  const isBlank = () => fields.some((field) => field.isWrong());

  async function question() {
    if (isBlank()) return null;
    const row = Object.fromEntries(fields.map((field) => [field.column.name, field.value()]));
    asked = study.plan(row);
    return { body: JSON.stringify({ rows: [row, ...asked.values.map((value) => ({ ...row, [asked.column.name]: value }))] }) };
  }

  return { question, isBlank, answered: (answer, others) => study.show(asked, answer, others) };
}
