// A field for each column of a table: what one types or chooses, as the value of a row.

// What comes after the decimal point of a number, in digits.
function decimals(number) {
  const [mantissa, exponent] = number.toExponential().split("e");
  return Math.max(0, (mantissa.split(".")[1] ?? "").length - exponent);
}

// The first of 1, 2, 5, 10, 20 … and of 0.5, 0.2, 0.1 … that isn't smaller.
export function nice(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return Number((([1, 2, 5].find((factor) => factor * power > size * 0.999) ?? 10) * power).toPrecision(1));
}

// A number with as many digits as one reads.
export const short = (number) => number.toLocaleString("en", { maximumSignificantDigits: 6, useGrouping: "min2" }).replace("-", "−");

// A number or a date as one reads it.
export const written = (column, value) => (column.kind === "date" ? value.slice(0, 10) : short(value));

// A text that is none of a column's categories.
export function unseen({ categories }) {
  let text = "something else";
  while (categories.includes(text)) text += "…";
  return text;
}

export const hasTime = (column) => /%[cHIfMpSTX]/.test(column.form);

// What a slider's and an arrow key's step is: a two-hundredth of the range, but no finer than the data.
export function stepOf({ low, high, typical }) {
  const finest = 10 ** -Math.max(...[low, high, typical].map(decimals));
  return high > low ? Math.max(finest, nice((high - low) / 200)) : finest;
}

function make(tag, settings) {
  return Object.assign(document.createElement(tag), settings);
}

// Each kind of field gives its elements, and functions: value() of a row, set(value), and isWrong().
function number(column, id, changed) {
  const step = stepOf(column);
  const end = (value, round) => Number((round(value / step) * step).toPrecision(12));
  const range = { step, min: end(column.low, Math.floor), max: end(column.high, Math.ceil) };
  const field = make("input", { id, type: "number", placeholder: "missing", ...range });
  const slider = make("input", { type: "range", tabIndex: -1, ariaHidden: "true", ...range });
  function mirror() {
    if (field.value !== "") slider.value = field.value;
    slider.classList.toggle("off", field.value === "");
    field.ariaInvalid = String(field.validity.badInput);
  }
  field.addEventListener("input", () => { mirror(); changed(); });
  slider.addEventListener("input", () => { field.value = slider.value; mirror(); changed(); });
  const set = (value) => { field.value = value ?? ""; mirror(); };
  return { parts: [field, slider], set, value: () => (field.value === "" ? null : field.valueAsNumber), isWrong: () => field.validity.badInput };
}

function category(column, id, changed) {
  const field = make("select", { id });
  const values = [...column.categories, null, unseen(column)];
  field.append(...column.categories.map((name) => make("option", { textContent: name })), make("hr"),
    make("option", { textContent: "missing" }), make("option", { textContent: "something else" }));
  [...field.options].forEach((option, index) => { option.value = index; });
  field.addEventListener("change", changed);
  return { parts: [field], set: (value) => { field.value = values.indexOf(value); }, value: () => values[field.value], isWrong: () => false };
}

function date(column, id, changed) {
  const field = make("input", { id, type: hasTime(column) ? "datetime-local" : "date" });
  field.addEventListener("input", changed);
  const set = (value) => { field.value = value && hasTime(column) && !value.includes("T") ? `${value}T00:00` : value ?? ""; };
  return { parts: [field], set, value: () => field.value || null, isWrong: () => field.validity.badInput };
}

// A column's field with its label, the ends of its range, and a button that chooses the column for the curve.
export function fieldOf(column, index, changed, choose) {
  const id = `column-${index}`;
  const { parts, ...field } = { number, category, date }[column.kind](column, id, changed);
  const box = make("div", { className: `field ${column.kind}` });
  const label = make("label", { htmlFor: id, textContent: column.name, title: column.name });
  const button = make("button", { type: "button", textContent: "∿", title: `What would the answer be by ${column.name}?` });
  button.ariaLabel = button.title;
  button.addEventListener("click", () => choose(column));
  const range = make("small", {});
  if (column.kind !== "category") range.append(...[column.low, column.high].map((end) => make("span", { textContent: written(column, end) })));
  box.append(label, button, ...parts, range);
  const mark = (isChosen) => { button.ariaPressed = String(isChosen); box.classList.toggle("chosen", isChosen); };
  return { ...field, column, box, mark };
}
