(() => {
  const PRINT_WIDTH = 285;  // pixels: two columns between the margins of A4
  const plots = [...document.querySelectorAll(".plot")];

  const draw = async (plot) => {
    const { data, layout } = JSON.parse(document.getElementById(`${plot.id}-spec`).textContent);
    await Plotly.newPlot(plot, data, layout, {
      responsive: true,
      displayModeBar: false,
    });
  };

  const key = (row, at) => {
    const cell = row.cells[at];
    const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    return text === "–" ? "" : text;
  };

  const sortBy = (table, head, at) => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    const words = rows.some((row) => Number.isNaN(Number(key(row, at))));
    const compare = (a, b) => {
      const [x, y] = [key(a, at), key(b, at)];
      if (x === "" || y === "") return (x === "") - (y === "");  // undefined goes last
      const order = words ? x.localeCompare(y) : Number(x) - Number(y);
      return rising ? order : -order;
    };
    table.tBodies[0].append(...rows.sort(compare));
  };

  // Without scripts there is nothing to press, so only scripts make the buttons.
  const sortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, head, at));
      head.append(button);
    });
  };

  const worthSorting = (table) =>
    !table.matches(".confusion, .fixed") && table.tHead && table.tBodies[0].rows.length > 2;

  const copyable = (button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const words = document.getElementById(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(words.innerText);
        button.textContent = "Copied";
      } catch {  // a page opened as a file may not write: mark it, for the reader to copy
        getSelection().selectAllChildren(words);
        button.textContent = "Selected: press Ctrl-C or ⌘C";
      }
    });
  };

  const closed = [...document.querySelectorAll("details:not([open])")];
  addEventListener("beforeprint", () => {
    closed.forEach((each) => { each.open = true; });
    plots.forEach((plot) => Plotly.relayout(plot, { width: PRINT_WIDTH }));
  });
  addEventListener("afterprint", () => {
    closed.forEach((each) => { each.open = false; });
    plots.forEach((plot) => Plotly.relayout(plot, { width: null, autosize: true }));
  });

  [...document.querySelectorAll("table")].filter(worthSorting).forEach(sortable);
  document.querySelectorAll("button.copy").forEach(copyable);
  Promise.all(plots.map(draw)).then(
    () => { document.body.dataset.figures = "drawn"; },
    (error) => { document.documentElement.dataset.scriptError = String(error); },
  );
})();
