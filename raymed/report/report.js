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

  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
    heads.forEach((head, at) => head.querySelector("button")?.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const compare = (a, b) => {
        const [x, y] = [key(a, at), key(b, at)];
        if (x === "" || y === "") return (x === "") - (y === "");  // undefined goes last
        const order = at === 0 ? x.localeCompare(y) : Number(x) - Number(y);
        return rising ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    }));
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

  document.querySelectorAll("table.sortable").forEach(sortable);
  Promise.all(plots.map(draw)).then(
    () => { document.body.dataset.figures = "drawn"; },
    (error) => { document.documentElement.dataset.scriptError = String(error); },
  );
})();
