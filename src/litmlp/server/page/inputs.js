// The simpler inputs: a picture, switches, numbers.
import { chooser, drops, fit, png, sharp, unpack } from "./files.js";

const never = () => false;

const SHIRT = '<path d="M9 4 4 7l2 4 2-1v10h8V10l2 1 2-4-5-3c-.5 1.5-1.6 2.2-3 2.2S9.5 5.5 9 4z"/>';
const PHOTO = '<rect x="3" y="5" width="18" height="14" rx="2"/><circle cx="8.5" cy="10" r="1.5"/><path d="m4 18 5-4 3 2 4-4 5 4"/>';

export function picture({ model, changed, problem, stage, tools, hint }) {
  const [channels, height, width] = model.sample_shape;
  const isGarment = model.task === "fashion_mnist";
  let shown = null;
  stage.innerHTML = `<div class="pad"><div class="invitation">
    <svg viewBox="0 0 24 24" fill="none" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${isGarment ? SHIRT : PHOTO}</svg>
    <span>Drop a picture${isGarment ? " of a garment" : ""} here,<br>choose one, or paste it</span></div><canvas role="img" aria-label="The chosen picture"></canvas></div>`;
  const pad = stage.firstElementChild;
  const canvas = pad.querySelector("canvas");
  hint.textContent = isGarment ? "One garment on a plain background, as in a shop: light or dark."
    : `The network sees it in ${channels === 3 ? "colour" : "grey"}, ${width} × ${height} pixels.`;
  const clear = document.createElement("button");
  clear.type = "button";
  clear.textContent = "✕ Clear";
  clear.disabled = true;
  clear.addEventListener("click", () => { shown = null; redraw(); });
  tools.append(chooser("Choose a picture…", take), clear);
  drops(pad, take);
  sharp(canvas, paint);

  async function take(file) {
    try {
      shown = await unpack(file);
      redraw();
    } catch (error) {
      problem(error.message);
    }
  }
  function paint() {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.width);
    if (shown) fit(canvas.getContext("2d"), shown, canvas.width);
  }
  function redraw() {
    paint();
    clear.disabled = !shown;
    pad.classList.toggle("used", Boolean(shown));
    changed();
  }
  return { question: async () => (shown ? png(shown) : null), isBlank: () => !shown };
}

export function switches({ model, changed, percent, stage, hint, table }) {
  const bits = Array(model.sample_shape[0]).fill(0);
  const rows = [...Array(2 ** bits.length).keys()].map((row) => bits.map((_, place) => (row >> (bits.length - 1 - place)) & 1));
  const names = ["x", "y", "z"];
  stage.innerHTML = '<div class="switches"></div>';
  bits.forEach((_, place) => {
    const made = document.createElement("button");
    made.type = "button";
    made.setAttribute("role", "switch");
    made.setAttribute("aria-checked", "false");
    made.innerHTML = "<i></i><span></span>";
    made.querySelector("span").textContent = `${names[place]} = 0`;
    made.addEventListener("click", () => {
      bits[place] = 1 - bits[place];
      made.setAttribute("aria-checked", String(bits[place] === 1));
      made.querySelector("span").textContent = `${names[place]} = ${bits[place]}`;
      changed();
    });
    stage.firstElementChild.append(made);
  });
  hint.textContent = "Flip the switches: one of them alone, or both?";
  table.hidden = false;
  table.innerHTML = `<thead><tr>${bits.map((_, place) => `<th>${names[place]}</th>`).join("")}<th>says</th><th>sure</th></tr></thead><tbody></tbody>`;

  function answered(_, all) {
    table.tBodies[0].replaceChildren(...all.map((answer, index) => {
      const row = document.createElement("tr");
      row.className = rows[index].every((bit, place) => bit === bits[place]) ? "now" : "";
      for (const text of [...rows[index], answer.label, percent(answer.probability)]) row.insertCell().textContent = text;
      return row;
    }));
  }
  return { question: async () => ({ body: JSON.stringify({ samples: [bits, ...rows] }) }), isBlank: never, answered };
}

// What an arrow key adds to a number: a tenth of its power of ten, and at least 0.1.
const stepOf = (number) => Math.max(0.1, 10 ** (Math.floor(Math.log10(Math.abs(number) || 1)) - 1));

export function numbers({ model, changed, stage, tools, hint }) {
  stage.innerHTML = '<div class="numbers"></div>';
  const fields = Array.from({ length: model.sample_shape[0] }, (_, index) => {
    const label = document.createElement("label");
    label.textContent = `feature ${index + 1}`;
    const field = document.createElement("input");
    field.type = "number";
    field.value = "0";
    field.step = stepOf(0);
    field.addEventListener("input", answer);
    field.addEventListener("paste", (event) => paste(event, index));
    label.append(field);
    stage.firstElementChild.append(label);
    return field;
  });
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "↺ Reset";
  reset.addEventListener("click", () => { for (const field of fields) field.value = "0"; answer(); });
  tools.append(reset);
  hint.textContent = fields.length > 1 ? "A whole row can be pasted, such as 5.1, 3.5, 1.4: it fills the fields from the chosen one on." : "";

  const isBlank = () => fields.some((field) => field.value === "");

  function answer() {
    for (const field of fields) {
      field.ariaInvalid = String(field.value === "");
      if (field.value !== "") field.step = stepOf(field.valueAsNumber);
    }
    changed();
  }

  // Spreads a row of numbers over the fields; anything else is pasted as usual.
  function paste(event, first) {
    const row = event.clipboardData.getData("text").trim().split(/[\s,;]+/);
    if (row.length < 2 || row.some((part) => !Number.isFinite(Number(part)))) return;
    event.preventDefault();
    fields.slice(first, first + row.length).forEach((field, place) => { field.value = row[place]; });
    answer();
  }

  return { question: async () => (isBlank() ? null : { body: JSON.stringify({ sample: fields.map((field) => field.valueAsNumber) }) }), isBlank };
}
