// The unit square, coloured by what the network says everywhere, and a point to move about on it.
import { sharp } from "./files.js";

const GRID = 48; // points in each direction that the colours come from
const LOW = [44, 108, 223], MIDDLE = [245, 241, 250], HIGH = [224, 75, 160];
const STEP = 0.02;

const mix = (from, to, share) => from.map((value, band) => value + (to[band] - value) * share);
const colour = (share) => (share < 0.5 ? mix(LOW, MIDDLE, share * 2) : mix(MIDDLE, HIGH, share * 2 - 1));

export function plane({ model, ask, changed, problem, stage, hint }) {
  let point = [0.3, 0.4];
  let field = null; // a canvas with the colours
  stage.innerHTML = '<div class="pad used"><canvas tabindex="0" role="application" aria-label="The unit square; arrow keys move the point"></canvas></div>';
  const canvas = stage.querySelector("canvas");
  canvas.setAttribute("aria-describedby", hint.id);
  sharp(canvas, paint);
  colours().catch((error) => problem(error.message));

  async function colours() {
    const at = (index) => (index + 0.5) / GRID;
    const samples = Array.from({ length: GRID * GRID }, (_, index) => [at(index % GRID), at(GRID - 1 - Math.floor(index / GRID))]);
    const { answers } = await ask(JSON.stringify({ samples }));
    const values = answers.map((answer) => (answer.values ? answer.values[0] : answer.probabilities[1]));
    const largest = model.classes ? 1 : Math.max(...values.map(Math.abs)) || 1;
    field = document.createElement("canvas");
    field.width = field.height = GRID;
    const image = new ImageData(GRID, GRID);
    values.forEach((value, index) => image.data.set([...colour(model.classes ? value : scaled(value / largest)), 255], index * 4));
    field.getContext("2d").putImageData(image, 0, 0);
    paint();
  }

  // Values around 0 matter most: the root spreads them.
  const scaled = (value) => 0.5 + (Math.sign(value) * Math.sqrt(Math.abs(value))) / 2;

  function paint() {
    const context = canvas.getContext("2d"), side = canvas.width;
    context.clearRect(0, 0, side, side);
    if (field) context.drawImage(field, 0, 0, side, side);
    const [x, y] = [point[0] * side, (1 - point[1]) * side], unit = side / 100;
    context.fillStyle = context.strokeStyle = "#1f1b2e88";
    context.font = `${3.6 * unit}px system-ui, sans-serif`;
    context.fillText("x", 49 * unit, 98 * unit);
    context.fillText("y", 1.5 * unit, 51 * unit);
    context.setLineDash([unit, unit]);
    context.lineWidth = unit / 3;
    context.beginPath();
    context.moveTo(x, y); context.lineTo(x, side);
    context.moveTo(0, y); context.lineTo(x, y);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(x, y, 2.6 * unit, 0, 7);
    context.fillStyle = "#1f1b2e";
    context.fill();
    context.lineWidth = unit;
    context.strokeStyle = "#fff";
    context.stroke();
  }

  function move(x, y) {
    point = [x, y].map((value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000);
    hint.textContent = `x = ${point[0].toFixed(3)}, y = ${point[1].toFixed(3)}. Click, drag, or use the arrow keys.`;
    paint();
    changed();
  }
  function follow(event) {
    const box = canvas.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
  }
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); follow(event); });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    move(point[0] + by[0], point[1] + by[1]);
  });
  hint.textContent = `x = ${point[0].toFixed(3)}, y = ${point[1].toFixed(3)}. Click, drag, or use the arrow keys.`;
  return { question: async () => ({ body: JSON.stringify({ sample: point }) }), isBlank: () => false };
}
