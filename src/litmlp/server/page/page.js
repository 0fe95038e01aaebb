// Asks the server what the network says to the input, and shows it.
import { drawing } from "./drawing.js";
import { short } from "./fields.js";
import { numbers, picture, switches } from "./inputs.js";
import { plane } from "./plane.js";
import { rows } from "./rows.js";

const INPUTS = { drawing, image: picture, point: plane, bits: switches, numbers, row: rows };
const NAMES = { // of our own tasks, and of their data
  digits: ["Handwritten digits", "the UCI digits, 8 × 8"], mnist: ["Handwritten digits", "MNIST"],
  kmnist: ["Cursive Japanese", "Kuzushiji-MNIST"], fashion_mnist: ["Clothes", "Fashion-MNIST"],
  xor: ["Exclusive or", "its truth table"], log: ["Is log(x + y) positive?", "random points"], log_value: ["log(x + y)", "random points"],
};
const PAUSE = 40; // ms between two questions at least
const element = (id) => document.getElementById(id);

// Rounded to tenths of a per cent, but never to 0 or 100: a network is never certain.
function percent(share) {
  if (share < 0.0005) return "<0.1\u202f%";
  return share >= 0.9995 ? ">99.9\u202f%" : `${(share * 100).toFixed(1)}\u202f%`;
}

let model, input;
let changes = 0; // of the input, so far
let asking = false;
let spoken = 0; // timer of the status line, which is read out once the input rests

// Sends samples or a picture; resolves to what the server answers. An answer without success becomes an Error.
async function ask(body, type = "application/json") {
  let response;
  try {
    response = await fetch("predict", { method: "POST", headers: { "Content-Type": type }, body });
  } catch {
    throw new Error("The server doesn't answer. Is it still running?");
  }
  const content = await response.json();
  if (!response.ok) throw new Error(`Not answered: ${content.detail}.`);
  return content;
}

// Called whenever the input has changed: at most one question is under way, and the newest input is always asked last.
async function changed() {
  changes += 1;
  if (asking) return;
  asking = true;
  element("output").ariaBusy = "true";
  for (let seen = -1; seen !== changes; ) {
    seen = changes;
    const question = await input.question();
    if (!question) { blank(); continue; }
    try {
      const content = await ask(question.body, question.type);
      if (!input.isBlank()) show(content); // it may have been cleared meanwhile
      problem("");
    } catch (error) {
      problem(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  asking = false;
  element("output").ariaBusy = "false";
}

function problem(text) {
  element("problem").hidden = !text;
  element("problem").textContent = text;
}

function show({ answers: [answer, ...others], seen }) {
  const winner = element("winner");
  const written = model.target ? short : (value) => value.toFixed(3).replace("-", "−");
  const label = model.classes ? answer.label : answer.values.map(written).join(", ");
  winner.classList.remove("blank");
  if (winner.textContent !== label) {
    winner.textContent = label;
    if (model.classes) { winner.classList.remove("pop"); void winner.offsetWidth; winner.classList.add("pop"); }
  }
  if (model.classes) {
    element("sure").textContent = percent(answer.probability);
    element("rival").textContent = `then ${answer.runner_up}, ${percent(answer.runner_up_probability)}`;
    bars(answer.probabilities);
  } else {
    winner.classList.toggle("words", Boolean(model.target) || label.length > 8);
    element("sure").textContent = "";
    const what = model.target ?? (model.task === "log_value" ? "log(x + y)" : "");
    element("rival").textContent = `says the network${what && ` of ${what}`}`;
  }
  if (seen) sees(seen);
  input.answered?.(answer, others);
  clearTimeout(spoken);
  const sentence = model.classes ? `${label}, ${percent(answer.probability)}` : label;
  spoken = setTimeout(() => { element("status").textContent = sentence; }, 500);
}

function blank() {
  element("winner").textContent = "?";
  element("winner").classList.add("blank");
  element("sure").textContent = element("rival").textContent = "";
  clearTimeout(spoken);
  element("status").textContent = "";
  problem("");
  if (model.classes) bars(model.classes.map(() => 0));
  if (isImage()) sees(Array(model.sample_shape[1]).fill(Array(model.sample_shape[2]).fill(0)));
}

function bars(shares) {
  const highest = Math.max(...shares);
  [...element("bars").children].forEach((row, index) => {
    row.classList.toggle("first", shares[index] === highest && highest > 0);
    row.querySelector("i").style.setProperty("--share", shares[index]);
    row.querySelector(".percent").textContent = highest > 0 ? percent(shares[index]) : "";
  });
}

const isImage = () => model.sample_shape.length === 3; // [channels, height, width]

// Draws the image that the network sees: rows of shades, or of [red, green, blue].
function sees(rows) {
  const canvas = element("seen").querySelector("canvas");
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const image = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, pixel) => {
    const bands = Array.isArray(value) ? value : [value, value, value];
    image.data.set([...bands.map((band) => (band / (model.white ?? 255)) * 255), 255], pixel * 4);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function describe() {
  const words = model.task.replaceAll("_", " ");
  const [name, data] = NAMES[model.task] ?? [words[0].toUpperCase() + words.slice(1), `the task ${model.task}`];
  const [title, source] = model.target ? [model.target, `predicted from ${model.columns.length} columns`] : [name, `trained on ${data}`];
  document.title = `${title}, ${source} · LitMLP`;
  element("task").textContent = title;
  element("data").textContent = source;
  const layers = [model.sample_shape.join("×"), ...model.conv.map((width) => `conv ${width}`), ...model.hidden, model.outputs];
  element("facts").textContent = `${layers.join(" → ")} · ${model.parameters.toLocaleString("en")} parameters`;
  element("checkpoint").textContent = model.checkpoint;
  element("seen").hidden = !isImage();
  const names = model.classes ?? [];
  element("winner").classList.toggle("words", Boolean(model.target) || names.some((name) => name.length > 3));
  element("verdict").classList.toggle("stacked", !model.classes || names.some((name) => name.length > 3));
  element("bars").classList.toggle("short", names.length === 10 && names.every((name) => name.length < 4));
  element("bars").replaceChildren(...names.map((name) => {
    const row = document.createElement("li");
    row.innerHTML = '<span class="name"></span><span class="bar"><i></i></span><span class="percent"></span>';
    row.querySelector(".name").textContent = name;
    return row;
  }));
  const widths = [...element("bars").querySelectorAll(".name")].map((name) => name.scrollWidth + 1); // which is rounded
  element("bars").style.setProperty("--names", `${Math.max(0, ...widths)}px`);
}

try {
  model = await (await fetch("model")).json();
  describe();
  input = INPUTS[model.input]({ model, ask, changed, percent, problem, stage: element("stage"), tools: element("tools"), hint: element("hint"), table: element("table"), panel: element("whatif") });
  document.body.dataset.ready = model.input;
  changed();
} catch (error) {
  problem(`The page can't start: ${error.message}`);
  throw error;
}
