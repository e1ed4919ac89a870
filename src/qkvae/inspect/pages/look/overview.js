// Small pictures of all heads.

function drawOverview(select) {
  const groups = Object.entries(KINDS).filter(([kind]) => facts[kind].length);
  fill("overview", ...groups.map(([kind, about]) => {
    const group = make("div", { className: "card" },
      make("h3", {}, about.title), make("span", { className: "quiet small" }, about.says));
    facts[kind].forEach((_, layer) => {
      const thumbs = make("div", { className: "thumbs" }), heads = headsOf(kind, layer);
      thumbs.style.setProperty("--columns", Math.ceil(heads / Math.ceil(heads / 6)));
      for (let head = 0; head < heads; head++) thumbs.append(thumb(kind, layer, head, select));
      group.append(make("div", { className: "row" }, make("span", {}, "block " + (layer + 1)), thumbs));
    });
    return group;
  }));
}

function thumb(kind, layer, head, select) {
  const spread = Math.exp(meanEntropy(kind, layer, head)).toFixed(1);
  const canvas = make("canvas", {});
  const button = make("button", {
    className: "thumb", type: "button", title: `head ${head + 1}: spreads over ${spread} tokens`,
    "aria-label": `${KINDS[kind].title}, block ${layer + 1}, head ${head + 1}, spreads over ${spread} tokens`,
  }, canvas, make("small", {}, spread));
  Object.assign(button.dataset, { kind, layer, head });
  button.addEventListener("click", () => {
    select({ kind, layer, head });
    document.getElementById("head-title").scrollIntoView({ block: "start" });
  });
  paintThumb(canvas, kind, layer, head);
  return button;
}

function paintThumb(canvas, kind, layer, head) {
  const { from, to } = KINDS[kind];
  canvas.width = to.length;
  canvas.height = from.length;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colours().accent;
  from.forEach((_, i) => rowOf(kind, layer, "weights", head, i).forEach((weight, j) => {
    pen.globalAlpha = strength(weight);
    pen.fillRect(j, i, 1, 1);
  }));
}

function markOverview(state) {
  for (const button of document.querySelectorAll(".thumb")) {
    const { kind, layer, head } = button.dataset;
    const chosen = kind === state.kind && +layer === state.layer && +head === state.head;
    button.setAttribute("aria-pressed", String(chosen));
  }
}
