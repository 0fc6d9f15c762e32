// Small line charts over time, drawn as SVG.

const ns = "http://www.w3.org/2000/svg";
const height = 96, bottom = 14, top = 12;

function make(name, attributes, parent) {
  const e = document.createElementNS(ns, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  parent.append(e);
  return e;
}

// nice is the least of 1, 2, 5, 10, 20 … that is at least v.
function nice(v) {
  if (v <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= v * 0.9999);
}

const least = 60 * 1000;

// Chart draws lines of values(sample) (a number, or one for each line; undefined
// where there was nothing to measure) into a figure: those of the last most ms, or
// as far as the samples reach back.
export class Chart {
  constructor(figure, values, format, most) {
    Object.assign(this, { figure, values, format, most, span: least, samples: [] });
    this.reading = figure.querySelector("b");
    this.svg = make("svg", { role: "img", "aria-label": figure.querySelector("figcaption").firstChild.textContent.trim() }, figure);
    figure.addEventListener("pointermove", (e) => this.point(e));
    figure.addEventListener("pointerleave", () => { this.at = undefined; this.draw(); });
  }

  show(samples) {
    this.samples = samples;
    this.span = Math.min(Math.max(this.now() - samples[0].time, least), this.most);
    this.draw();
  }

  point(e) {
    const box = this.svg.getBoundingClientRect();
    this.at = this.now() - this.span * (1 - (e.clientX - box.left) / box.width);
    this.draw();
  }

  now() { return this.samples.length ? this.samples.at(-1).time : 0; }

  draw() {
    const { svg, samples } = this;
    svg.replaceChildren();
    if (!samples.length) return;
    const width = svg.clientWidth || 250, now = this.now();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shown = samples.filter((s) => s.time >= now - this.span);
    const lines = shown.map((s) => [this.values(s)].flat());
    const most = nice(Math.max(...lines.flat().filter((v) => v !== undefined), 0));
    const x = (t) => width * (1 - (now - t) / this.span);
    const y = (v) => height - bottom - (height - bottom - top) * v / most;

    for (const v of [0, most]) make("line", { class: "grid", x1: 0, x2: width, y1: y(v), y2: y(v) }, svg);
    make("text", { x: 0, y: y(most) - 3 }, svg).textContent = this.format(most);
    make("text", { x: 0, y: height - 2 }, svg).textContent = this.span < 120000 ? `${Math.round(this.span / 1000)} s ago` : `${Math.round(this.span / 60000)} min ago`;
    make("text", { x: width, y: height - 2, "text-anchor": "end" }, svg).textContent = "now";

    for (let k = 0; k < lines[0].length; k++) {
      // Where there was nothing to measure, the line is broken.
      const runs = [[]];
      shown.forEach((one, i) => {
        if (lines[i][k] === undefined) runs.push([]);
        else runs.at(-1).push(`${x(one.time).toFixed(1)},${y(lines[i][k]).toFixed(1)}`);
      });
      for (const points of runs.filter((r) => r.length)) {
        const [from, to] = [points[0], points.at(-1)].map((p) => p.split(",")[0]);
        if (lines[0].length === 1) {
          make("polygon", { class: "area", points: [`${from},${y(0)}`, ...points, `${to},${y(0)}`].join(" ") }, svg);
        }
        if (points.length === 1) points.push(`${+from - 2},${points[0].split(",")[1]}`); // a dot
        make("polyline", { class: k ? "line second" : "line", points: points.join(" ") }, svg);
      }
    }

    let read = lines.length - 1;
    if (this.at !== undefined) {
      const far = (i) => Math.abs(shown[i].time - this.at);
      for (let i = 0; i < shown.length; i++) if (far(i) < far(read)) read = i;
      make("line", { class: "cursor", x1: x(shown[read].time), x2: x(shown[read].time), y1: top, y2: height - bottom }, svg);
      const mark = make("text", { x: Math.min(Math.max(x(shown[read].time), 24), width - 24), y: height - 2, "text-anchor": "middle" }, svg);
      mark.textContent = new Date(shown[read].time).toLocaleTimeString();
    }
    const words = lines[read].map((v) => {
      const word = document.createElement("i");
      word.textContent = v === undefined ? "–" : this.format(v);
      return word;
    });
    this.reading.replaceChildren(...words.flatMap((w, i) => i ? [" / ", w] : [w]));
  }
}
