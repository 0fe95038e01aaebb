// What the answer would be with other values of one column: a curve along a number or a date, a bar for each category.
import { hasTime, nice, short, stepOf, unseen, written } from "./fields.js";

const POINTS = 41; // of a curve
const MOST_BARS = 100;

// A number or a date as a number, and back.
const toNumber = (column, value) => (column.kind === "date" ? Date.parse(value + (value.includes("T") ? "Z" : "")) : value);
const toDate = (column, number) => new Date(number).toISOString().slice(0, hasTime(column) ? 16 : 10);

export function whatif({ model, percent, panel, changed, chosen, set }) {
  panel.hidden = false;
  const choice = '<label for="of">Probability of</label><select id="of"></select>';
  panel.innerHTML = `<p><span>${model.classes ? choice : "<b></b>"}</span><span><label for="by">by</label><select id="by"></select></span></p>
    <figure><div class="scale"><span></span><span></span></div>
    <div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"><line x2="100"/><polyline/></svg><i></i></div>
    <div class="ends"><span></span><span></span></div></figure><ol class="bars ${model.classes ? "" : "values"}"></ol>`;
  const find = (selector) => panel.querySelector(selector);
  const [by, of, curve, bars, plot] = ["#by", "#of", "figure", "ol", ".plot"].map(find);
  let column, subject;
  by.append(...model.columns.map(({ name }) => new Option(name)));
  by.addEventListener("change", () => chosen(model.columns[by.selectedIndex]));
  if (of) {
    of.append(new Option("the answer"), ...model.classes.map((name) => new Option(name)));
    of.addEventListener("change", changed);
  } else {
    find("b").textContent = model.target;
  }

  plot.addEventListener("pointerdown", (event) => { plot.setPointerCapture(event.pointerId); follow(event); });
  plot.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });

  // Sets the column to the value at the pointer.
  function follow(event) {
    const { left, width } = plot.getBoundingClientRect();
    const [low, high] = ends(column);
    const at = low + (high - low) * Math.min(1, Math.max(0, (event.clientX - left) / width));
    if (column.kind === "date") return set(column.name, toDate(column, at));
    const step = stepOf(column);
    return set(column.name, Number((Math.round(at / step) * step).toPrecision(12)));
  }

  const ends = ({ low, high }) => [toNumber(column, low), toNumber(column, high)];

  // The other values that are asked about.
  function values() {
    if (column.kind === "category") return [...column.categories.slice(0, MOST_BARS), null, unseen(column)];
    const [low, high] = ends(column);
    const numbers = Array.from({ length: POINTS }, (_, index) => low + ((high - low) * index) / (POINTS - 1));
    return column.kind === "date" ? [...new Set(numbers.map((number) => toDate(column, number)))] : numbers;
  }

  // What is shown of an answer, and how it is written.
  const place = (answer) => (of.selectedIndex ? of.selectedIndex - 1 : model.classes.indexOf(answer.label));
  const text = model.classes ? percent : short;

  function show(asked, answer, others) {
    if (asked.column !== column) return; // another has been chosen meanwhile
    const index = model.classes ? place(answer) : 0;
    const shown = (one) => (model.classes ? one.probabilities : one.values)[index];
    subject = model.classes ? `Probability of ${model.classes[index]}` : model.target;
    const isCategory = column.kind === "category";
    [curve.hidden, bars.hidden] = [isCategory, !isCategory];
    bars.ariaLabel = `${subject} by ${column.name}`;
    (isCategory ? drawBars : drawCurve)(asked, shown(answer), others.map(shown));
  }

  function drawBars(asked, now, shares) {
    const [bottom, top] = scale([now, ...shares]);
    const focused = [...bars.children].findIndex((row) => row.contains(document.activeElement));
    bars.replaceChildren(...asked.values.map((value, index) => {
      const row = document.createElement("li");
      row.innerHTML = '<button type="button"><span class="name"></span><span class="bar"><i></i></span><span class="percent"></span></button>';
      row.classList.toggle("first", value === asked.now);
      row.querySelector(".name").textContent = value ?? "missing";
      row.querySelector("i").style.setProperty("--share", (shares[index] - bottom) / (top - bottom));
      row.querySelector(".percent").textContent = text(shares[index]);
      row.firstElementChild.addEventListener("click", () => set(column.name, value));
      return row;
    }));
    bars.children[focused]?.firstElementChild.focus();
  }

  function drawCurve(asked, now, heights) {
    const [bottom, top] = scale([now, ...heights]);
    const [low, high] = ends(column);
    const across = (value) => (high > low ? (Math.min(high, Math.max(low, toNumber(column, value))) - low) / (high - low) : 0.5) * 100;
    const down = (height) => (100 * (top - height)) / (top - bottom);
    find("polyline").setAttribute("points", asked.values.map((value, index) => `${across(value)},${down(heights[index])}`).join(" "));
    for (const name of ["y1", "y2"]) find("line").setAttribute(name, down(now));
    const dot = find(".plot i");
    dot.hidden = asked.now === null;
    if (asked.now !== null) dot.style.setProperty("left", `${across(asked.now)}%`);
    dot.style.setProperty("top", `${down(now)}%`);
    const label = (value) => written(column, value);
    fill(".scale", model.classes ? ["100\u202f%", "0"] : [short(top), short(bottom)]);
    fill(".ends", [label(column.low), label(column.high)]);
    find("svg").ariaLabel = `${subject} by ${column.name}: from ${text(heights[0])} at ${label(column.low)} to ${text(heights.at(-1))} at ${label(column.high)}`;
  }

  // The ends of the answers' axis, round ones.
  function scale(heights) {
    if (model.classes) return [0, 1];
    const [low, high] = [Math.min(...heights), Math.max(...heights)];
    const step = nice((high - low) / 4 || Math.abs(high) / 20 || 1);
    return [Math.floor(low / step) * step, (Math.floor(high / step) + 1) * step];
  }

  const fill = (selector, texts) => [...find(selector).children].forEach((part, index) => { part.textContent = texts[index]; });

  return {
    choose: (one) => { column = one; by.selectedIndex = model.columns.indexOf(one); },
    plan: (row) => ({ column, values: values(), now: row[column.name] }),
    show,
  };
}
