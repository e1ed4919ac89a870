// One head, large: its matrix, and what lies under the pointer.

const matrix = { canvas: document.getElementById("matrix"), left: 0, top: 0, side: 0 };

function drawPickers(state, select) {
  const kinds = Object.keys(KINDS).filter((kind) => facts[kind].length);
  fill("pickers",
    picker("attention", kinds, state.kind, (kind) => KINDS[kind].short, (kind) => select({ kind })),
    picker("block", facts[state.kind].map((_, i) => i), state.layer, (i) => i + 1, (layer) => select({ layer })),
    picker("head", [...Array(headsOf(state.kind, state.layer)).keys()], state.head, (i) => i + 1, (head) => select({ head })),
    picker("show", ["weights", "scores"], state.show, (name) => name, (show) => select({ show })));
}

function picker(name, values, chosen, label, pick) {
  return make("fieldset", {}, make("legend", {}, name), ...values.map((value) => {
    const input = make("input", { type: "radio", name: "pick-" + name, id: `pick-${name}-${value}`, checked: value === chosen });
    input.addEventListener("change", () => pick(value));
    return make("label", {}, input, String(label(value)));
  }));
}

function clipped(token, most = 13) {
  return token.length > most ? token.slice(0, most - 1) + "…" : token;
}

function drawMatrix(state) {
  const { from, to, title } = KINDS[state.kind];
  const paint = colours();
  const font = (size) => `${size}px ${getComputedStyle(document.documentElement).getPropertyValue("--code")}`;
  const room = matrix.canvas.parentElement.clientWidth;
  const measure = matrix.canvas.getContext("2d");
  const widest = (tokens, size) => {
    measure.font = font(size);
    return Math.max(...tokens.map((token) => measure.measureText(clipped(token)).width)) + 12;
  };
  const letters = room < 500 ? 11 : room < 760 ? 13 : 15;
  matrix.left = widest(from, letters);
  matrix.top = widest(to, letters);
  matrix.side = Math.max(14, Math.min(84, Math.floor((room - matrix.left - 2) / to.length)));
  const { left, top, side } = matrix;
  const pen = sized(matrix.canvas, left + side * to.length + 2, top + side * from.length + 2);
  pen.textBaseline = "middle";
  pen.font = font(letters);
  pen.textAlign = "right";
  from.forEach((token, i) => {
    pen.fillStyle = i === state.at.row ? paint.accent : paint.ink;
    pen.fillText(clipped(token), left - 7, top + side * (i + 0.5));
  });
  pen.textAlign = "left";
  to.forEach((token, j) => {
    pen.save();
    pen.translate(left + side * (j + 0.5), top - 6);
    pen.rotate(-Math.PI / 2);
    pen.fillStyle = j === state.at.column ? paint.accent : paint.ink;
    pen.fillText(clipped(token), 0, 0);
    pen.restore();
  });
  drawCells(state, pen, paint, font);
  outline(state, pen, paint);
  const asks = state.kind === "encoder" ? "the token that asks" : "the token just read";
  document.getElementById("matrix-title").textContent =
    `${title}, block ${state.layer + 1}, head ${state.head + 1} (rows: ${asks}; columns: the token looked at)`;
}

function drawCells(state, pen, paint, font) {
  const { left, top, side } = matrix;
  const { from } = KINDS[state.kind];
  const scores = from.map((_, i) => rowOf(state.kind, state.layer, "scores", state.head, i));
  const most = Math.max(1e-9, ...scores.map((row) => Math.max(...row.map((s) => (s === -Infinity ? 0 : Math.abs(s))))));
  pen.font = font(Math.min(14, Math.floor(side * 0.32)));
  pen.textAlign = "center";
  from.forEach((_, i) => rowOf(state.kind, state.layer, "weights", state.head, i).forEach((weight, j) => {
    const x = left + side * j, y = top + side * i, score = scores[i][j];
    pen.fillStyle = paint.soft;
    pen.fillRect(x, y, side - 1, side - 1);
    if (score === -Infinity) return hatch(pen, x, y, side - 1, paint.quiet);
    const share = state.show === "weights" ? strength(weight) : strength(Math.abs(score) / most);
    pen.globalAlpha = share;
    pen.fillStyle = state.show === "scores" && score < 0 ? paint.minus : paint.accent;
    pen.fillRect(x, y, side - 1, side - 1);
    pen.globalAlpha = 1;
    if (side < 32) return;
    pen.fillStyle = share > 0.55 ? paint["accent-ink"] : paint.ink;
    const text = state.show === "weights" ? weight.toFixed(2).replace(/^0/, "") : score.toFixed(1).replace("-", "−");
    if (state.show === "scores" || weight >= 0.005) pen.fillText(text, x + side / 2 - 0.5, y + side / 2);
  }));
}

function outline(state, pen, paint) {
  const { left, top, side } = matrix;
  const { row, column } = state.at;
  const { from, to } = KINDS[state.kind];
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 2;
  if (column === null) pen.strokeRect(left, top + side * row, side * to.length - 1, side - 1);
  else if (row === null) pen.strokeRect(left + side * column, top, side - 1, side * from.length - 1);
  else pen.strokeRect(left + side * column, top + side * row, side - 1, side - 1);
}

// The cell at a point; on a label, the whole row or column; null beside the matrix.
function placeAt(event, state) {
  const box = matrix.canvas.getBoundingClientRect();
  const x = event.clientX - box.left - matrix.left, y = event.clientY - box.top - matrix.top;
  const column = Math.floor(x / matrix.side), row = Math.floor(y / matrix.side);
  const { from, to } = KINDS[state.kind];
  if (column >= to.length || row >= from.length || (x < 0 && y < 0)) return null;
  return { row: y < 0 ? null : row, column: x < 0 ? null : column };
}

function drawReadout(state) {
  const { row, column } = state.at;
  const { from, to } = KINDS[state.kind];
  if (row === null) return drawColumn(state, column);
  const weights = rowOf(state.kind, state.layer, "weights", state.head, row);
  const scores = rowOf(state.kind, state.layer, "scores", state.head, row);
  const writes = state.kind === "encoder" ? "" : `, about to write ${facts.steps[row].token}`;
  const lines = [make("p", { className: "pair" }, from[row] + (column === null ? "" : " → " + to[column])),
    make("p", { className: "quiet small" }, `row ${row + 1}` + (column === null ? "" : `, column ${column + 1}`) + writes)];
  if (column !== null) {
    lines.push(make("p", { className: "big" }, digits(weights[column])));
    lines.push(pairs([["weight", percent(weights[column])],
      ["score before softmax", scores[column] === -Infinity ? "−∞, masked: may not look" : digits(scores[column])]]));
  }
  const spread = entropy(weights);
  lines.push(pairs([["entropy of the row", `${spread.toFixed(3)} nats`], ["spreads over", `${Math.exp(spread).toFixed(1)} tokens`]]));
  fill("matrix-readout", ...lines);
  rank([...weights].map((weight, j) => [to[j], weight, j === column]), "The row’s largest weights (the row adds up to 1)");
}

function drawColumn(state, column) {
  const { from, to } = KINDS[state.kind];
  const weights = from.map((_, i) => rowOf(state.kind, state.layer, "weights", state.head, i)[column]);
  fill("matrix-readout",
    make("p", { className: "pair" }, "all → " + to[column]),
    make("p", { className: "quiet small" }, `column ${column + 1}`),
    pairs([["looked at with, in all", weights.reduce((a, b) => a + b, 0).toFixed(3)]]));
  rank(weights.map((weight, i) => [from[i], weight, false]), "Who looks at it most");
}

function rank(rows, title) {
  const best = rows.filter((row) => row[1] > 0).sort((a, b) => b[1] - a[1]).slice(0, 6);
  fill("row-bars", make("p", { className: "quiet small" }, title),
    bars(best.map(([name, share, chosen]) => ({ name, share, text: digits(share), chosen }))));
}

function pairs(rows) {
  return make("dl", { className: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}
