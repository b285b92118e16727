// Draws the plots of the live view as SVG, with one point for each row of the log and bands for the phases.

import { add } from "./turns.js";

const WIDTH = 400, HEIGHT = 190, LEFT = 48, RIGHT = 10, TOP = 20, BOTTOM = 34;
const CHARACTER = 6.5; // the width of a character of a label

function draw(parent, tag, attributes, content = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = content;
  parent.append(element);
  return element;
}

// The words of a column's name, as in the lines that a training run prints.
export function words(column) {
  return column.replace(/^val_/, "held-out ").replaceAll("_", " ");
}

export function short(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

// About `count` round numbers from low to high.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  const made = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) made.push(Number((i * step).toPrecision(12)));
  return made;
}

// Draw a panel that plots columns over the rows of the log; draw nothing if no row has these columns.
export function drawPanel(parent, panel, rows) {
  const series = panel.columns
    .map((column) => ({ column, points: rows.flatMap((row, i) => (row[column] === undefined ? [] : [[i + 1, row[column]]])) }))
    .filter(({ points }) => points.length);
  if (!series.length) return;
  const figure = add(parent, "figure", "");
  add(figure, "figcaption", "", panel.title);
  if (panel.better) add(figure, "p", "", panel.better);
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  // The first epochs may be far above all later ones; a logarithmic axis keeps both visible.
  const logarithmic = Math.min(...values) > 0 && Math.max(...values) > 20 * Math.min(...values);
  const scale = (value) => (logarithmic ? Math.log10(value) : value);
  let [low, high] = [Math.min(...values.map(scale)), Math.max(...values.map(scale))];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  low -= margin;
  high += margin;
  const x = (row) => LEFT + ((row - 0.5) / rows.length) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((high - scale(value)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const last = series.map(({ column, points }) => `${words(column)} ${short(points.at(-1)[1])}`).join(", ");
  const svg = draw(figure, "svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${panel.title}. ${panel.better} The last values: ${last}.`,
  });
  drawBands(svg, rows, x);
  const marks = logarithmic
    ? [1, 2, 5].flatMap((f) => Array.from({ length: 13 }, (_, i) => f * 10 ** (i - 6))).filter((v) => scale(v) >= low && scale(v) <= high)
    : ticks(low, high, 4);
  let above = Infinity;
  for (const value of marks.sort((a, b) => a - b)) {
    if (above - y(value) < 13) continue; // labels must not collide
    above = y(value);
    draw(svg, "line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) });
    draw(svg, "text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, logarithmic ? short(value) : String(value));
  }
  draw(svg, "line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM });
  const rowMarks = rows.length > 8 ? ticks(1, rows.length, 5).filter((row) => row >= 1) : rows.map((_, i) => i + 1);
  for (const row of rowMarks.filter(Number.isInteger)) {
    draw(svg, "text", { x: x(row), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, String(row));
  }
  draw(svg, "text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "epoch or update of the whole training");
  const legend = add(figure, "ul", "legend");
  series.forEach(({ column, points }, i) => {
    const line = points.map(([row, value]) => `${x(row).toFixed(1)},${y(value).toFixed(1)}`);
    draw(svg, "polyline", { class: `series series-${i}`, points: line.join(" ") });
    for (const [row, value] of points) {
      if (points.length < 40) draw(svg, "circle", { class: `dot series-${i}`, cx: x(row), cy: y(value), r: 2.6 });
    }
    const item = add(legend, "li", "");
    const sample = draw(item, "svg", { viewBox: "0 0 30 6", "aria-hidden": "true" });
    draw(sample, "polyline", { class: `series series-${i}`, points: "0,3 30,3" });
    item.append(` ${words(column)}: ${short(points.at(-1)[1])}`);
  });
}

// The successive phases of a training: the name of each, and the numbers of its first and last row.
export function phasesOf(rows) {
  const phases = [];
  rows.forEach((row, i) => {
    const name = row.phase.replaceAll("_", " ");
    if (phases.at(-1)?.name !== name) phases.push({ name, first: i + 1 });
    phases.at(-1).last = i + 1;
  });
  return phases;
}

function drawBands(svg, rows, x) {
  const wide = x(2) - x(1);
  let free = 0; // where the last label ends
  phasesOf(rows).forEach(({ name, first, last }, number) => {
    const left = x(first) - wide / 2, width = (last - first + 1) * wide;
    const shade = number % 2 ? "band" : "gap";
    const band = draw(svg, "rect", { class: shade, x: left, y: TOP, width, height: HEIGHT - TOP - BOTTOM });
    draw(band, "title", {}, `${name}: ${first} to ${last}`);
    if (name.length * CHARACTER < width && left >= free) {
      draw(svg, "text", { x: left + width / 2, y: TOP - 6, "text-anchor": "middle" }, name);
      free = left + width;
    }
  });
}
