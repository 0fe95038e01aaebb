// A pad to draw on with mouse, finger, pen or keys.
import { chooser, drops, fit, png, sharp, unpack } from "./files.js";

const SENT = 168; // pixels of the side of the picture that is sent: six for each of MNIST's
const STEP = 0.03; // of an arrow key, as a share of the pad

export function drawing({ model, changed, problem, stage, tools, hint }) {
  const width = Math.max(0.06, (model.stroke ?? 0.1) * 0.6); // of the pen: a digit fills about 60 % of the pad
  let strokes = []; // each a list of points [x, y] from 0 to 1
  let picture = null; // in place of strokes
  let pen = null; // the stroke under way
  let cursor = null; // [x, y] of the keyboard's pen

  stage.innerHTML = `<div class="pad"><div class="invitation">
    <svg viewBox="0 0 24 24" fill="none" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d="M4 20l1-4L16.5 4.5a2 2 0 0 1 3 3L8 19l-4 1z"/><path d="M14.5 6.5l3 3M12 20h8" /></svg>
    <span></span></div><canvas tabindex="0" role="img"></canvas></div>`;
  const pad = stage.firstElementChild;
  const canvas = pad.querySelector("canvas");
  const what = model.task === "kmnist" ? "a character" : model.classes?.[0] === "0" ? "a digit" : "something";
  pad.querySelector("span").textContent = `Draw ${what} here`;
  canvas.setAttribute("aria-label", `Pad to draw ${what} on`);
  canvas.setAttribute("aria-describedby", hint.id);
  hint.innerHTML = matchMedia("(pointer: coarse)").matches
    ? "Finger or pen. A photo of handwriting works, too."
    : "Or drop a picture. Keys: <kbd>arrows</kbd> move the pen, <kbd>space</kbd> sets it down and lifts it, <kbd>Ctrl Z</kbd> undo, <kbd>Esc</kbd> clear.";

  const undo = button("↶ Undo", () => { if (picture) picture = null; else strokes.pop(); redraw(); });
  const clear = button("✕ Clear", () => { strokes = []; picture = null; pen = null; redraw(); });
  tools.append(undo, clear, chooser("Picture…", take));
  drops(pad, take);
  sharp(canvas, paint);

  function button(text, action) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", action);
    return made;
  }

  async function take(file) {
    try {
      picture = await unpack(file);
      strokes = [];
      redraw();
    } catch (error) {
      problem(error.message);
    }
  }

  const isBlank = () => !picture && strokes.length === 0;

  function redraw() {
    paint();
    undo.disabled = clear.disabled = isBlank();
    pad.classList.toggle("used", !isBlank());
    changed();
  }

  function paint() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.width);
    if (picture) fit(context, picture, canvas.width);
    trace(context, canvas.width, getComputedStyle(pad).color);
    if (cursor && document.activeElement === canvas) {
      context.beginPath();
      context.arc(cursor[0] * canvas.width, cursor[1] * canvas.width, (width / 2) * canvas.width, 0, 7);
      context.lineWidth = 2 * devicePixelRatio;
      context.strokeStyle = getComputedStyle(pad).getPropertyValue("--accent");
      context.stroke();
    }
  }

  // Draws the strokes as smooth lines, through the middles between the points.
  function trace(context, side, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = width * side;
    for (const points of strokes) {
      context.beginPath();
      context.moveTo(points[0][0] * side, points[0][1] * side - 0.01); // else a single point would draw nothing
      points.forEach(([x, y], index) => {
        const [nextX, nextY] = points[index + 1] ?? [x, y];
        context.quadraticCurveTo(x * side, y * side, ((x + nextX) / 2) * side, ((y + nextY) / 2) * side);
      });
      context.stroke();
    }
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  function begin(point) {
    picture = null;
    pen = [point];
    strokes.push(pen);
    redraw();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    cursor = null;
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen || cursor || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    pen.push(...(events.length ? events : [event]).map(place));
    redraw();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { if (!cursor) pen = null; });

  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    cursor ??= [0.5, 0.3];
    if (event.key === " ") {
      if (pen) { pen = null; paint(); } else begin([...cursor]);
      return;
    }
    cursor = cursor.map((value, axis) => Math.min(1, Math.max(0, value + move[axis])));
    if (pen) { pen.push([...cursor]); redraw(); } else paint();
  });
  canvas.addEventListener("blur", () => { if (cursor) { pen = null; cursor = null; } paint(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear.click();
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo.click(); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  undo.disabled = clear.disabled = true;

  async function question() {
    if (isBlank()) return null;
    if (picture) return png(picture);
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = SENT;
    const context = sheet.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SENT, SENT);
    trace(context, SENT, "#000");
    return png(sheet);
  }

  return { question, isBlank };
}
