// What is written, token by token: where the model looked, and what else it could have written.

function drawWriting(state, select) {
  fill("target-tokens", ...facts.steps.map((step, i) => {
    const chip = make("button", { className: "token", type: "button", "aria-pressed": String(i === state.step) },
      step.token, make("small", {}, percent(step.probability)));
    chip.addEventListener("click", () => select({ step: i }));
    return chip;
  }));
  lightSource(state.step);
  drawCandidates(state.step);
  const heads = headsOf(lookedAt, facts[lookedAt].length - 1);
  fill("alignment-note", `The shade is the share of attention: ${KINDS[lookedAt].title.toLowerCase()} of the last block, mean of its ${heads} heads. Below each token stands its probability.`);
}

function lightSource(step) {
  const shares = alignment[step];
  fill("source-tokens", ...KINDS[lookedAt].to.map((token, j) => {
    const chip = make("span", { className: "token lit" + (strength(shares[j]) > 0.55 ? " strong" : "") },
      token, make("small", {}, percent(shares[j])));
    chip.style.setProperty("--share", strength(shares[j]).toFixed(3));
    return chip;
  }));
}

function drawCandidates(number) {
  const step = facts.steps[number];
  const rows = step.candidates.map(([token, share]) => ({ name: token, share, text: percent(share), chosen: token === step.token }));
  if (!rows.some((row) => row.chosen)) {
    rows.push({ name: step.token, share: step.probability, text: percent(step.probability), chosen: true });
  }
  const before = facts.target.slice(0, number + 1).join(" ");
  fill("candidates",
    make("p", { className: "quiet small" }, `Token ${number + 1} of ${facts.steps.length}, having read`),
    make("p", { className: "pair" }, before),
    make("p", { className: "quiet small" }, "the most probable next tokens are"),
    bars(rows));
}
