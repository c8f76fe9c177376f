"use strict";
// Sorts and filters tables, and enlarges figures. The page is complete without it.
(() => {
  const make = (tag, props = {}) => Object.assign(document.createElement(tag), props);
  const text = (row, column) => row.cells[column]?.textContent.trim() ?? "";
  const FEW_ROWS = 6;

  // A number with its thousands set apart, whatever follows it; NaN for a name.
  const number = (shown) => (/^[-−]?[\d.]/.test(shown) ? parseFloat(shown.replaceAll(",", "").replace("−", "-")) : NaN);

  const compare = (column, down) => (one, other) => {
    const [a, b] = [text(one, column), text(other, column)];
    const [m, n] = [number(a), number(b)];
    if (isNaN(m) !== isNaN(n)) return isNaN(m) ? 1 : -1; // what is no number stays below
    const order = isNaN(m) || m === n ? a.localeCompare(b, undefined, { numeric: true }) : m - n;
    return down ? -order : order;
  };

  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const sort = (head) => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const body = table.tBodies[0];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...[...body.rows].sort(compare(head.cellIndex, down)));
    };
    for (const head of heads) {
      head.tabIndex = 0;
      head.classList.add("sorts");
      head.addEventListener("click", (event) => event.target.closest("a") || sort(head));
      head.addEventListener("keydown", (event) => {
        if ((event.key === "Enter" || event.key === " ") && event.target === head) {
          event.preventDefault();
          sort(head);
        }
      });
    }
  };

  const filterable = (grid, table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FEW_ROWS) return;
    const box = make("input", { type: "search", placeholder: "filter rows", className: "filter" });
    box.setAttribute("aria-label", "filter rows");
    const left = make("span", { className: "aside" });
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/);
      const hits = rows.filter((row) => {
        const all = row.textContent.toLowerCase();
        const hit = words.every((word) => all.includes(word));
        row.hidden = !hit;
        return hit;
      });
      left.textContent = box.value.trim() ? `${hits.length} of ${rows.length} rows` : "";
    });
    grid.prepend(box, " ", left, " ");
  };

  // A figure in a window of its own: wheel, + and − change its size, dragging moves it, Escape closes.
  const enlarge = (plot) => {
    const dialog = make("dialog", { className: "zoom" });
    const picture = plot.querySelector("svg").cloneNode(true);
    const [, , width, height] = picture.getAttribute("viewBox").split(" ").map(Number);
    const board = make("div", { className: "board" });
    const bar = make("div", { className: "bar" });
    const shut = make("button", { type: "button", textContent: "close" });
    let scale = Math.min((innerWidth - 40) / width, (innerHeight - 90) / height);
    const resize = (factor) => {
      scale = Math.min(20, Math.max(0.2, scale * factor));
      picture.setAttribute("width", Math.round(width * scale));
      picture.setAttribute("height", Math.round(height * scale));
    };
    const sized = (label, factor) => {
      const button = make("button", { type: "button", textContent: label });
      button.addEventListener("click", () => resize(factor));
      return button;
    };
    shut.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "+" || event.key === "=") resize(1.25);
      if (event.key === "-") resize(0.8);
    });
    board.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && event.deltaX) return;
      event.preventDefault();
      resize(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    }, { passive: false });
    board.addEventListener("pointermove", (event) => {
      if (event.buttons === 1 && event.pointerType === "mouse") board.scrollBy(-event.movementX, -event.movementY);
    });
    bar.append(sized("+", 1.25), sized("−", 0.8), shut);
    board.append(picture);
    dialog.append(bar, board);
    document.body.append(dialog);
    resize(1);
    dialog.showModal();
  };

  for (const grid of document.querySelectorAll(".grid")) {
    const table = grid.querySelector("table");
    sortable(table);
    filterable(grid, table);
  }
  for (const plot of document.querySelectorAll(".plot")) {
    const button = make("button", { type: "button", textContent: "enlarge" });
    button.addEventListener("click", () => enlarge(plot));
    plot.addEventListener("click", () => enlarge(plot));
    plot.classList.add("zooms");
    plot.parentElement.querySelector("figcaption").append(" ", button);
  }
})();
