// What is chosen, and who is told when that changes.

const state = {
  kind: lookedAt, layer: 0, head: 0, show: "weights",
  query: 0, channel: 0, step: 0, // what is chosen
  kept: null, at: null, // cells {row, column}: the one clicked, and the one under the pointer
};
state.layer = facts[state.kind].length - 1;

function select(change) {
  const focused = document.activeElement && document.activeElement.id;
  const step = document.activeElement && document.activeElement.closest("#target-tokens") ? state.step : null;
  Object.assign(state, change);
  state.layer = Math.min(state.layer, facts[state.kind].length - 1);
  state.head = Math.min(state.head, headsOf(state.kind, state.layer) - 1);
  const { from } = KINDS[state.kind];
  if ("step" in change && state.kind !== "encoder") state.query = change.step;
  if (!("kept" in change)) state.kept = keptRow(Math.min(state.query, from.length - 1));
  state.query = state.kept.row === null ? Math.min(state.query, from.length - 1) : state.kept.row;
  state.at = state.kept;
  if (state.kind !== "encoder") state.step = state.query;
  drawAll();
  // What was in use is made anew by drawing: give it the focus back.
  if (step !== null) document.querySelectorAll("#target-tokens button")[state.step].focus();
  else if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
}

// A row, and in it the token looked at most.
function keptRow(row) {
  const weights = rowOf(state.kind, state.layer, "weights", state.head, row);
  return { row, column: weights.indexOf(Math.max(...weights)) };
}

function drawAll() {
  if (facts.steps.length) drawWriting(state, select);
  markOverview(state);
  drawPickers(state, select);
  drawMatrix(state);
  drawReadout(state);
  drawSteps(state, select);
}

function point(place) {
  const at = place || state.kept;
  if (at.row === state.at.row && at.column === state.at.column) return;
  state.at = at;
  drawMatrix(state);
  drawReadout(state);
}

matrix.canvas.addEventListener("pointermove", (event) => point(placeAt(event, state)));
matrix.canvas.addEventListener("pointerleave", () => point(null));
matrix.canvas.addEventListener("click", (event) => {
  const place = placeAt(event, state);
  if (place) select({ kept: place });
});
matrix.canvas.addEventListener("keydown", (event) => {
  const { from, to } = KINDS[state.kind];
  const row = state.kept.row ?? 0, column = state.kept.column ?? 0;
  const moves = {
    ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
    Home: [row, 0], End: [row, to.length - 1],
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
  select({ kept: { row: clamp(moves[event.key][0], from.length), column: clamp(moves[event.key][1], to.length) } });
});

function drawFresh() {
  drawOverview(select);
  drawAll();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawFresh);
let width = window.innerWidth;
addEventListener("resize", () => {
  // A phone's bars come and go while it scrolls: only another width needs another drawing.
  if (window.innerWidth !== width) drawMatrix(state);
  width = window.innerWidth;
});
state.at = state.kept = keptRow(0);
drawFresh();
