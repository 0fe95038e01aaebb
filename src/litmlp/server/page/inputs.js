// The simpler inputs: a picture, switches, numbers.
import { chooser, drops, fit, png, sharp, unpack } from "./files.js";

const never = () => false;

export function picture({ changed, problem, stage, tools, hint }) {
  let shown = null;
  stage.innerHTML = `<div class="pad"><div class="invitation">
    <svg viewBox="0 0 24 24" fill="none" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d="M9 4 4 7l2 4 2-1v10h8V10l2 1 2-4-5-3c-.5 1.5-1.6 2.2-3 2.2S9.500 5.500 9 4z"/></svg>
    <span>Drop a picture of a garment here,<br>choose one, or paste it</span></div><canvas role="img" aria-label="The chosen picture"></canvas></div>`;
  const pad = stage.firstElementChild;
  const canvas = pad.querySelector("canvas");
  hint.textContent = "One garment on a plain background, as in a shop: light or dark.";
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

export function switches({ model, changed, stage, hint, table }) {
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
      for (const text of [...rows[index], answer.label, `${(answer.probability * 100).toFixed(1)}\u202f%`]) row.insertCell().textContent = text;
      return row;
    }));
  }
  return { question: async () => ({ body: JSON.stringify({ samples: [bits, ...rows] }) }), isBlank: never, answered };
}

export function numbers({ model, changed, stage, hint }) {
  stage.innerHTML = '<div class="numbers"></div>';
  const fields = Array.from({ length: model.sample_shape.reduce((a, b) => a * b) }, (_, index) => {
    const label = document.createElement("label");
    label.textContent = `feature ${index + 1}`;
    const field = document.createElement("input");
    field.type = "number";
    field.step = "any";
    field.value = "0";
    field.addEventListener("input", changed);
    label.append(field);
    stage.firstElementChild.append(label);
    return field;
  });
  hint.textContent = "The numbers of one sample.";
  return { question: async () => ({ body: JSON.stringify({ sample: fields.map((field) => Number(field.value)) }) }), isBlank: never };
}
