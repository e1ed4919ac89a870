"use strict";
// The facts of the page, and the arithmetic that is shown: nothing here touches the document but to read them.

const facts = JSON.parse(document.getElementById("facts").textContent);

const KINDS = {
  encoder: { title: facts.target.length ? "Encoder self-attention" : "Self-attention", short: "encoder", from: facts.source, to: facts.source, says: facts.target.length ? "source looks at source" : "every token looks at all of them" },
  decoder: { title: facts.source.length ? "Decoder self-attention" : "Self-attention", short: "decoder", from: facts.target, to: facts.target, says: facts.source.length ? "translation looks back at itself" : "the text looks back at itself" },
  cross: { title: "Cross-attention", short: "cross", from: facts.target, to: facts.source, says: "translation looks at source" },
};

function unpack(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { shape: packed.shape, numbers: new Float32Array(bytes.buffer) };
}

const unpacked = new Map();

// One tensor of one attention part, for example tensor("cross", 2, "weights"), of shape [heads, rows, columns].
function tensor(kind, layer, name) {
  const place = kind + layer + name;
  if (!unpacked.has(place)) unpacked.set(place, unpack(facts[kind][layer][name]));
  return unpacked.get(place);
}

// Row `row` of head `head`.  With fewer key heads than query heads, neighbouring query heads share one.
function rowOf(kind, layer, name, head, row) {
  const { shape, numbers } = tensor(kind, layer, name);
  const heads = facts[kind][layer].queries.shape[0];
  const start = (Math.floor((head * shape[0]) / heads) * shape[1] + row) * shape[2];
  return numbers.subarray(start, start + shape[2]);
}

function headsOf(kind, layer) {
  return facts[kind][layer].queries.shape[0];
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

// −Σ w ln w, in nats; zero weights add nothing.
function entropy(weights) {
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum -= weight * Math.log(weight);
  return sum;
}

function meanEntropy(kind, layer, head) {
  const rows = KINDS[kind].from.length;
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += entropy(rowOf(kind, layer, "weights", head, row));
  return sum / rows;
}

// Where the model looked while writing each token: the last block's heads averaged, at the source if there is one.
const lookedAt = ["cross", "decoder", "encoder"].find((kind) => facts[kind].length);
const alignment = facts.steps.map((_, step) => {
  const layer = facts[lookedAt].length - 1;
  const heads = headsOf(lookedAt, layer);
  const mean = new Float32Array(KINDS[lookedAt].to.length);
  for (let head = 0; head < heads; head++) {
    rowOf(lookedAt, layer, "weights", head, step).forEach((weight, j) => (mean[j] += weight / heads));
  }
  return mean;
});

function digits(value) {
  if (value === -Infinity) return "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e5 ? value.toExponential(2) : value.toFixed(size >= 100 ? 2 : size >= 10 ? 3 : 4);
  return text.replace("-", "−");
}

function percent(share) {
  return share >= 0.9995 ? "100 %" : share < 0.0005 ? "< 0.1 %" : (100 * share).toFixed(1) + " %";
}
