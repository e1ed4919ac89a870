// The arithmetic of one query: scores, softmax, weighted sum.

function largest(rows) {
  return Math.max(1e-9, ...rows.map((row) => row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
}

function drawSteps(state, select) {
  const numbers = make("div", {});
  const draw = () => drawNumbers(numbers, state);
  fill("steps", chooser(state, select, draw), numbers);
  draw();
}

// Everything below the chooser, which stays as it is while its channel is being dragged.
function drawNumbers(place, state) {
  const { kind, layer, head, query } = state;
  const { from, to } = KINDS[kind];
  const q = rowOf(kind, layer, "queries", head, query);
  const channel = Math.min(state.channel, q.length - 1);
  const keys = to.map((_, j) => rowOf(kind, layer, "keys", head, j));
  const values = to.map((_, j) => rowOf(kind, layer, "values", head, j));
  const scores = rowOf(kind, layer, "scores", head, query);
  const weights = rowOf(kind, layer, "weights", head, query);
  const mixed = rowOf(kind, layer, "mixed", head, query);
  const scaled = keys.map((k) => dot(q, k) / Math.sqrt(q.length));
  const top = Math.max(...scores);
  const added = scaled.some((s, j) => scores[j] !== -Infinity && Math.abs(scores[j] - s) > 1e-3 * (1 + Math.abs(s)));
  const exponentials = [...scores].map((s) => (s === -Infinity ? 0 : Math.exp(s - top)));
  const shown = { q, keys, values, scores, weights, mixed, scaled, exponentials, added, channel, most: largest(keys), mostValue: largest(values) };
  const table = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "scores, softmax and weighted sum for each key" },
    stepTable(state, to, shown));
  const before = document.querySelector("#steps .scroll");
  const left = before ? before.scrollLeft : 0;
  place.replaceChildren(
    make("div", { className: "vector" }, make("b", { className: "q" }, "q"), strip(q, largest([q]), channel, `query of ${from[query]}`),
      make("span", { className: "number at" }, `q${sub(channel + 1)} = ${digits(q[channel])}`)),
    table, sum(shown));
  table.scrollLeft = left;
}

function chooser(state, select, draw) {
  const { from } = KINDS[state.kind];
  const width = tensor(state.kind, state.layer, "queries").shape[2];
  const channel = Math.min(state.channel, width - 1);
  const menu = make("select", { id: "query" }, ...from.map((token, i) => make("option", { value: i, selected: i === state.query }, `${i + 1}  ${token}`)));
  menu.addEventListener("change", () => select({ query: +menu.value }));
  const move = (by) => () => select({ query: (state.query + by + from.length) % from.length });
  const before = make("button", { type: "button", id: "query-before", "aria-label": "query before" }, "‹");
  const after = make("button", { type: "button", id: "query-after", "aria-label": "query after" }, "›");
  before.addEventListener("click", move(-1));
  after.addEventListener("click", move(1));
  const range = make("input", { type: "range", id: "channel", min: 1, max: width });
  range.value = channel + 1;
  const said = make("output", { htmlFor: "channel" }, `${channel + 1} of ${width}`);
  range.addEventListener("input", () => {
    state.channel = +range.value - 1;
    said.textContent = `${range.value} of ${width}`;
    draw();
  });
  return make("div", { className: "chooser" },
    make("span", {}, make("label", { htmlFor: "query" }, "query of "), menu, " ", before, " ", after),
    make("span", {}, make("label", { htmlFor: "channel" }, "channel "), range, " ", said));
}

function sub(number) {
  return String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

function stepTable(state, to, s) {
  const c = s.channel;
  const parts = make("tr", { className: "parts" }, ...[["", 1], ["1  scores", s.added ? 5 : 3], ["2  softmax", 3], ["3  weighted sum", 1]]
    .map(([text, span]) => make("th", { colSpan: span, scope: "colgroup" }, text)));
  const head = make("tr", {}, ...[
    ["key token"], ["k", "k"], ["q · k", "number"], [`÷ √${s.q.length}`, "number"],
    ...(s.added ? [["+ bias", "number"], ["= score", "number"]] : []),
    ["e^(score − max)", "number"], ["÷ their sum = weight", "number"], [""], ["v", "v"],
  ].map(([text, name]) => make("th", { className: name === "number" ? "number" : "", scope: "col" },
    name === "k" || name === "v" ? make("b", { className: name }, text) : text)));
  const rows = to.map((token, j) => {
    const off = s.scores[j] === -Infinity;
    const cell = (text) => make("td", { className: "number" }, text);
    const bar = make("i");
    bar.style.width = 100 * s.weights[j] + "%";
    const at = (letter, numbers) => make("span", { className: "at" }, `${letter}${sub(c + 1)} = ${digits(numbers[c])}`);
    const extra = s.added ? [cell(off ? "mask" : digits(s.scores[j] - s.scaled[j])), cell(digits(s.scores[j]))] : [];
    return make("tr", { className: off ? "off" : j === state.at.column ? "here" : "" },
      make("td", { className: "key", title: token }, token),
      make("td", {}, strip(s.keys[j], s.most, c, `key of ${token}`), at("k", s.keys[j])),
      cell(digits(s.scaled[j] * Math.sqrt(s.q.length))),
      cell(off && !s.added ? "−∞ (mask)" : digits(s.scaled[j])), ...extra,
      cell(digits(s.exponentials[j])), cell(digits(s.weights[j])),
      make("td", {}, make("div", { className: "track" }, bar)),
      make("td", {}, strip(s.values[j], s.mostValue, c, `value of ${token}`), at("v", s.values[j])));
  });
  return make("table", { className: "steps" }, make("thead", {}, parts, head), make("tbody", {}, ...rows));
}

function sum(s) {
  const c = s.channel;
  const total = s.exponentials.reduce((a, b) => a + b, 0);
  const again = s.mixed.map((_, i) => s.values.reduce((a, v, j) => a + s.weights[j] * v[i], 0));
  const apart = again.reduce((most, value, i) => Math.max(most, Math.abs(value - s.mixed[i])), 0);
  const terms = [...s.weights].map((weight, j) => [weight, s.values[j][c]]).sort((a, b) => b[0] - a[0]);
  const written = terms.slice(0, 4).map(([weight, value]) => `${digits(weight)} · ${value < 0 ? `(${digits(value)})` : digits(value)}`).join(" + ");
  const rest = terms.slice(4).reduce((a, [weight, value]) => a + weight * value, 0);
  return make("div", { className: "sum" },
    make("p", { className: "small" }, `The exponentials add up to ${digits(total)}. What the head hands on is the sum of weight · v:`),
    make("div", { className: "vector" }, make("b", {}, "z = Σ weight · v"), strip(s.mixed, s.mostValue, c, "result"),
      make("span", { className: "number at" }, `z${sub(c + 1)} = ${digits(s.mixed[c])}`)),
    make("p", { className: "number small" }, `channel ${c + 1}: ${written}${terms.length > 4 ? ` ${rest < 0 ? "−" : "+"} ${digits(Math.abs(rest))} (the others)` : ""} = ${digits(s.mixed[c])}`),
    make("p", { className: "small" }, "Computed again by this page and recorded in the model: ",
      make("span", { className: "agree" }, `largest difference ${digits(apart)}`), "."));
}
