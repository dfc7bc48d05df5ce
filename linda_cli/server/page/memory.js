// The memory of an account's browser over the last day, as a line with its words.

const SVG = "http://www.w3.org/2000/svg";
const DAY = 86400000;
const GAP = 2.5 * 300000; // samples are five minutes apart: a longer pause is drawn as one
const WIDTH = 288;
const HEIGHT = 60;

// `samples`: [{at, memoryMb}], oldest first; `present`: megabytes now, null where no browser runs.
export function draw(figure, samples, present, now = Date.now()) {
  const seen = samples.map((one) => [Date.parse(one.at), one.memoryMb]);
  if (present) seen.push([now, present]);
  figure.hidden = seen.length === 0;
  if (figure.hidden) return;
  const sizes = seen.map(([, size]) => size);
  const least = Math.min(...sizes);
  const most = Math.max(...sizes);
  const range = least === most ? `${most} MB` : `${least} to ${most} MB`;
  const words = `Memory over the last day: ${range}${present ? `, ${present} MB now` : ""}`;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  for (const part of parts(seen)) {
    const line = document.createElementNS(SVG, "polyline");
    const points = part.map(([at, size]) => `${x(at, now)},${y(size, most)}`);
    // One sample alone is a dash, so that it is seen at all.
    if (points.length === 1) points.push(`${x(part[0][0], now) + 1},${y(part[0][1], most)}`);
    line.setAttribute("points", points.join(" "));
    svg.append(line);
  }
  const caption = document.createElement("figcaption");
  caption.className = "hint";
  caption.textContent = words;
  figure.replaceChildren(svg, caption);
}

function parts(seen) {
  const found = [];
  for (const one of seen) {
    const last = found.at(-1);
    if (last && one[0] - last.at(-1)[0] <= GAP) last.push(one);
    else found.push([one]);
  }
  return found;
}

const x = (at, now) => Math.round(Math.max(0, 1 - (now - at) / DAY) * (WIDTH - 2) * 10) / 10;
// From nought, so that a line that climbs is one that matters.
const y = (size, most) => Math.round((HEIGHT - 2 - (size / most) * (HEIGHT - 4)) * 10) / 10;
