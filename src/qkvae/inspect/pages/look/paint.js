// Making elements and painting on canvas.  Text always becomes text, never markup.

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !/^(?:aria-|role$|htmlFor$)/.test(name)) element[name] = value;
    else element.setAttribute(name === "htmlFor" ? "for" : name, value);
  }
  element.append(...children);
  return element;
}

function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue("--" + name).trim();
  return Object.fromEntries(
    ["ink", "quiet", "line", "soft", "card", "accent", "accent-ink", "minus"].map((name) => [name, read(name)]),
  );
}

// How much colour a weight gets: small ones would vanish if it were in proportion.
function strength(weight) {
  return Math.pow(weight, 0.7);
}

// A canvas of width × height CSS pixels, sharp on any screen.
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

function hatch(pen, x, y, side, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, side, side);
  pen.clip();
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.5;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let d = -side; d < side; d += 5) {
    pen.moveTo(x + d, y + side);
    pen.lineTo(x + d + side, y);
  }
  pen.stroke();
  pen.restore();
}

// Numbers of a vector, one column each: the one colour is above zero, the other below, white is none.
function strip(numbers, most, marked, label) {
  const canvas = make("canvas", { className: "strip", width: numbers.length * 4, height: 8, role: "img", "aria-label": label });
  const pen = canvas.getContext("2d");
  const paint = colours();
  pen.fillStyle = paint.soft;
  pen.fillRect(0, 0, canvas.width, 8);
  numbers.forEach((value, i) => {
    pen.globalAlpha = Math.min(1, strength(Math.abs(value) / most));
    pen.fillStyle = value < 0 ? paint.minus : paint.accent;
    pen.fillRect(4 * i, 0, 4, 8);
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = paint.ink;
  pen.strokeRect(4 * marked + 0.5, 0.5, 3, 7);
  return canvas;
}

function bars(rows) {
  const list = make("ul", { className: "bars" });
  for (const { name, share, text, chosen } of rows) {
    const bar = make("i");
    bar.style.width = 100 * share + "%";
    list.append(
      make("li", { className: chosen ? "chosen" : "" },
        make("span", { className: "name" + (chosen ? " chosen" : ""), title: name }, name),
        make("span", { className: "track" }, bar),
        make("span", { className: "number" + (chosen ? " chosen" : "") }, text)),
    );
  }
  return list;
}
